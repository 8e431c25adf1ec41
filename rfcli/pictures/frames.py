"""The frames of a video on disk, so that a video that was stopped goes on from those that are finished."""

import json
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as imageio

from rfcli.errors import InputError
from rfcli.pictures.images import Display, write_png
from rfcli.runtime.files import replacing

ABOUT = "frames.json"


@dataclass(frozen=True)
class Frames:
    """A folder of frame-0000.png, ..., and what they show; each file is whole or absent."""

    folder: Path
    count: int

    def path(self, frame: int) -> Path:
        return self.folder / f"frame-{frame:04d}.png"

    def begin(self, about: dict[str, object]) -> list[int]:
        """Frames that are still to be made; those of a video that differs in anything of `about` are removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for unfinished in self.folder.glob(".frame-*.png"):  # of a run that was killed
            unfinished.unlink()
        note = self.folder / ABOUT
        text = json.dumps(about, indent=1, sort_keys=True)
        if not note.is_file() or note.read_text(encoding="utf-8") != text:
            for old in self.folder.glob("frame-*.png"):
                old.unlink()
            with replacing(note) as beside:
                beside.write_text(text, encoding="utf-8")
        return [frame for frame in range(self.count) if not self.path(frame).is_file()]

    def write(self, frame: int, picture: Display) -> None:
        write_png(self.path(frame), picture)

    def read(self, frame: int) -> Display:
        """Raises InputError where the file is gone or broken."""
        try:
            picture: Display = imageio.imread(self.path(frame), plugin="pillow")
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path(frame)}: the frame is broken; remove it and run again.") from error
        return picture
