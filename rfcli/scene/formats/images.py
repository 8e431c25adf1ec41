"""Images of textures, read from files that may be hostile."""

import io
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from rfcli.errors import InputError

MAX_IMAGE_PIXELS = 1 << 26  # of one image: 8192 x 8192, 256 MB as rgba
MAX_IMAGE_BYTES = 200_000_000  # of one image, compressed
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF", "GIF")  # no format that Pillow decodes by another program


def decode_image(content: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Pixels of an image in one of FORMATS.

    Args:
        content: The file.
        name: What messages call it.

    Returns:
        [H, W, 4] rgba as stored, first row at the top; grey images have equal r, g, b.

    Raises:
        InputError: The image is broken, of another format, or larger than MAX_IMAGE_PIXELS, which is found before it is
            decoded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is lower
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_IMAGE_PIXELS:
                    raise InputError(
                        f"{name}: an image of {width:,} x {height:,} pixels is too large for a texture; scale it down "
                        "to 8,192 x 8,192 at most."
                    )
                if image.mode in ("I", "I;16", "I;16B", "I;16L"):  # 16 bits: Pillow would clip them to 8
                    grey = (np.asarray(image, dtype=np.int64) >> 8).clip(0, 255).astype(np.uint8)
                    return np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)
                return np.array(image.convert("RGBA"))
        except (InputError, MemoryError):
            raise
        except Image.DecompressionBombError as error:
            raise InputError(
                f"{name}: the image is too large for a texture; scale it down to 8,192 x 8,192 at most."
            ) from error
        except UnidentifiedImageError as error:
            raise InputError(
                f"{name}: the texture is not a PNG, JPEG or WebP image; export it as one of them."
            ) from error
        except Exception as error:  # Pillow's decoders raise all kinds of errors
            raise InputError(f"{name}: the image of the texture is broken ({error}); export it again.") from error


def read_image(path: Path, folder: Path) -> npt.NDArray[np.uint8]:
    """Pixels [H, W, 4] of an image file inside `folder`, see `decode_image`.

    Raises InputError also if the file is missing, outside of `folder` (`../`, an absolute path, a symbolic link), not a
    regular file, or too large.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path}: the texture is outside the folder {folder}; move it there.")
    if not path.is_file():
        raise InputError(f"{path}: there is no such texture; put the image there, or export the model with it.")
    if path.stat().st_size > MAX_IMAGE_BYTES:
        raise InputError(f"{path}: {path.stat().st_size / 1e6:,.0f} MB are too much for a texture; compress it.")
    return decode_image(path.read_bytes(), str(path))
