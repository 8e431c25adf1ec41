"""The declaration of an attention mechanism: its name, its layer, its properties and its options."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfcli.attention.layer import AttentionLayer


@dataclass(frozen=True)
class Option:
    """One option of a mechanism: a keyword argument of its layer, an entry of config.json and a command-line option.

    Attributes:
        name: Name of the keyword argument; `feature_map` becomes `--feature-map` on the command line.
        kind: Type of the value: int, float or str.
        default: Value if none is given.
        help: Help text, one sentence.
        minimum: Smallest value allowed; None = no limit. Numbers only.
        maximum: Largest value allowed; None = no limit. Numbers only.
        choices: The values allowed, for text; empty = any text.
    """

    name: str
    kind: type[int] | type[float] | type[str]
    default: int | float | str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> None:
        """Raise ValueError if the layer cannot be created with this value."""
        if not self._has_type(value):
            kind = {int: "a whole number", float: "a number", str: "text"}[self.kind]
            raise ValueError(f"{self.name} must be {kind}, got {value!r}")
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} must be one of {', '.join(self.choices)}, got {value!r}")
        if self.minimum is not None and value < self.minimum:
            raise ValueError(f"{self.name} must be at least {self.minimum}, got {value}")
        if self.maximum is not None and value > self.maximum:
            raise ValueError(f"{self.name} must be at most {self.maximum}, got {value}")

    def _has_type(self, value: Any) -> bool:
        if self.kind is float:
            return type(value) in (int, float) and math.isfinite(value)
        return type(value) is self.kind


@dataclass(frozen=True)
class LayerSpec:
    """The position of an attention layer in the model, and its shape; the first argument of its constructor.

    Attributes:
        heads: Number of heads H.
        head_dim: Channels per head D.
        index: Number of the layer within its stage, from 0; makes random seeds differ between layers.
        frequencies: Number F of RoPE frequencies that rotate queries and keys; 0 = no RoPE, None = unknown.
        coordinates: Number of coordinates by which RoPE rotates: those of three vertices, or of one position.
    """

    heads: int
    head_dim: int
    index: int = 0
    frequencies: int | None = None
    coordinates: int = 9


@dataclass(frozen=True)
class Mechanism:
    """The declaration of an attention mechanism: everything that the rest of the program uses.

    Attributes:
        name: Name in config.json and on the command line.
        layer: Makes the layer: a subclass of `AttentionLayer`, or a function that returns one. It is called as
            `layer(spec, **options)` with a `LayerSpec` and every declared option. As text, `"package.module:Class"`,
            it is imported when the first layer is created, so that declaring a mechanism does not import torch.
        summary: One line that describes the mechanism.
        cost: Time as a function of the number of tokens N, such as `N^2`.
        needs_training: Whether the mechanism gives wrong images with the weights of a softmax model until it is
            fine-tuned. If so, `rf finetune` starts with attention transfer, and rendering warns.
        splits_over_processes: Whether its layers accept `Context.group`: the keys are distributed over processes.
        takes_output_buffer: Whether its layers accept `out`, memory that they may use for their result.
        options: The options of its layers.
    """

    name: str
    layer: str | Callable[..., AttentionLayer]
    summary: str
    cost: str
    needs_training: bool
    splits_over_processes: bool = False
    takes_output_buffer: bool = False
    options: tuple[Option, ...] = ()

    def create_layer(self, spec: LayerSpec, **options: Any) -> AttentionLayer:
        """Create a layer.

        Args:
            spec: The position of the layer in the model, and its shape.
            options: Options by name, with their declared defaults if not given. They may include arguments of the
                layer that are not declared as options, such as `seed`.

        Returns:
            The layer, with new parameters.

        Raises:
            ValueError: An option has a value that is not allowed.
            TypeError: The layer has no such option.
        """
        values = {option.name: option.default for option in self.options} | options
        for option in self.options:
            try:
                option.check(values[option.name])
            except ValueError as error:
                raise ValueError(f"{self.name}: {error}.") from None
        return self._factory()(spec, **values)

    def _factory(self) -> Callable[..., AttentionLayer]:
        if not isinstance(self.layer, str):
            return self.layer
        module, _, name = self.layer.partition(":")
        factory: Callable[..., AttentionLayer] = getattr(importlib.import_module(module), name)
        return factory
