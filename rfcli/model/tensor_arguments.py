"""The arguments of `rfcli.render`: tensors, arrays or lists become tensors of the expected shapes and formats."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rfcli.errors import InputError

# Letters as in `rfcli.model.renderformer`; C channels of a material. Axes of one letter have one size.
SHAPES = {
    "triangles": "B N 3 3",
    "vn": "B N 3 3",
    "c2w": "B V 4 4",
    "fov": "B V",
    "texture": "B N C P P",
    "material": "B N C",
    "mask": "B N",
}


def checked_tensors(**arguments: Any) -> dict[str, Tensor | None]:
    """The arguments as tensors: `mask` bool, all others float32, on the devices where they are.

    Args:
        **arguments: Tensors, arrays or lists by name, of the shapes in SHAPES and of any numbers; `fov` may also be
            [B, V, 1], or [V] of one scene, and a `texture` without texels is a `material`. None stays None.

    Returns:
        The tensors by name.

    Raises:
        InputError: An argument is not numeric, not finite, empty, or has a shape that does not fit the others.
    """
    tensors: dict[str, Tensor | None] = {}
    sizes: dict[str, int] = {}
    for name, value in arguments.items():
        if value is None:
            tensors[name] = None
            continue
        tensor = _as_tensor(name, value)
        axes = SHAPES[name].split()
        if name == "fov" and (tensor.shape[2:] == (1,) or (tensor.dim() == 1 and sizes.get("B") == 1)):
            tensor = tensor.view(tensor.shape[0], -1) if tensor.dim() == 3 else tensor[None]
        if name == "texture" and tensor.dim() == 3:
            axes = SHAPES["material"].split()
        _check_shape(name, tensor, axes, sizes)
        sizes.update(zip((axis for axis in axes if axis.isalpha()), _lettered(tensor, axes), strict=True))
        tensors[name] = tensor
    return tensors


def _as_tensor(name: str, value: Any) -> Tensor:
    """A tensor of bool for the mask, else of float32."""
    try:
        tensor = value if isinstance(value, Tensor) else torch.from_numpy(np.asarray(value, order="C"))
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"`{name}` must be a tensor or an array of numbers, got {type(value).__name__}; files are read by "
            "rfcli.load_scene."
        ) from None
    if tensor.is_complex():
        raise InputError(f"`{name}` has complex numbers; give real ones.")
    if name == "mask":
        return tensor != 0
    tensor = tensor.to(torch.float32)
    if not bool(tensor.isfinite().all()):
        raise InputError(f"`{name}` holds numbers that are not finite; repair it.")
    return tensor


def _check_shape(name: str, tensor: Tensor, axes: list[str], sizes: dict[str, int]) -> None:
    """Raise InputError unless the tensor has these axes: numbers, or letters whose sizes may be known already."""
    shape, expected = list(tensor.shape), f"[{', '.join(axes)}]"
    if len(shape) == len(axes) - 1:
        raise InputError(
            f"`{name}` has shape {shape}, expected {expected}: the axis of B scenes is missing; add it with "
            f"{name}[None]."
        )
    known = [int(axis) if axis.isdecimal() else sizes.get(axis) for axis in axes]
    fits = len(shape) == len(axes) and all(size in (None, found) for size, found in zip(known, shape, strict=True))
    if not fits:
        given = ", ".join(f"{axis} = {sizes[axis]}" for axis in dict.fromkeys(axes) if axis in sizes)
        raise InputError(f"`{name}` has shape {shape}, expected {expected}{f' with {given}' if given else ''}.")
    if 0 in shape:
        raise InputError(f"`{name}` has shape {shape}: it is empty; give at least one of each of {expected}.")


def _lettered(tensor: Tensor, axes: list[str]) -> list[int]:
    return [size for size, axis in zip(tensor.shape, axes, strict=True) if axis.isalpha()]
