"""Materials to latents: small MLPs that map parameters of a material to 9 numbers in a space common to all kinds.

Kinds and inputs: diffspec (diffuse and specular colour, roughness), metallic (base colour, metallic, roughness),
metallic_transmission (the same, index of refraction, transmission).
"""

from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from rfcli.errors import InputError

LATENTS = 9
# Inputs and hidden widths of each kind.
SHAPES = {
    "diffspec": (7, (128, 128)),
    "metallic": (5, (128, 128)),
    "metallic_transmission": (7, (256, 256, 256, 256)),
}
WEIGHTS = "model.safetensors"


class MaterialMapper(nn.Module):
    """ReLU between layers, tanh after the last.

    Args:
        kind: diffspec, metallic or metallic_transmission.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        inputs, hidden = SHAPES[kind]
        widths = (inputs, *hidden, LATENTS)
        self.kind = kind
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, parameters: Tensor) -> Tensor:
        """[..., parameters] -> [..., 9], in [-1, 1]."""
        *hidden, last = self.layers
        for layer in hidden:
            parameters = torch.relu(layer(parameters))
        return torch.tanh(last(parameters))


def read_mapper(folder: Path, kind: str) -> MaterialMapper:
    """Reads a mapper from model.safetensors in a folder.

    Its tensors are called `layers.N.weight` and `layers.N.bias`; the numbers N may have gaps, for layers without
    weights. Raises InputError if the file is missing or has other shapes.
    """
    path = folder / WEIGHTS
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; this model's folder has a mapper of {kind} materials there.") from None
    except SafetensorError as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}); copy it again.") from None
    mapper = MaterialMapper(kind)
    numbers = sorted({int(part) for name in state for part in name.split(".")[1:2] if part.isdigit()})
    renamed = {}
    for name, tensor in state.items():
        first, _, rest = name.partition(".")
        number, _, what = rest.partition(".")
        place = numbers.index(int(number)) if first == "layers" and number.isdigit() else -1
        renamed[f"layers.{place}.{what}"] = tensor
    expected = {name: tensor.shape for name, tensor in mapper.state_dict().items()}
    if {name: tensor.shape for name, tensor in renamed.items()} != expected:
        raise InputError(f"{path} is not a mapper of {kind} materials, {SHAPES[kind][0]} numbers to {LATENTS}.")
    mapper.load_state_dict(renamed)
    return mapper.float().eval()
