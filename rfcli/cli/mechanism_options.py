"""Options of attention mechanisms on the command line, from the mechanisms' declarations.

An option keeps its name, `keys` becoming `--keys`. Where the command has an option of that name, or another mechanism
has declared it differently, the mechanism's name is put in front: `--mean-keys`.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from rfcli.attention import Option, mechanisms
from rfcli.cli.options import ATTENTION, finite, with_parameters
from rfcli.errors import InputError

ATTENTION_NAMES = ", ".join(mechanism.name for mechanism in mechanisms())
AttentionName = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"Attention mechanism: {ATTENTION_NAMES}. (default: that of the model)"),
]
COLLECTED = "mechanism_options"  # parameter of the command that receives them


@dataclass(frozen=True)
class Shared:
    """An option with the names of the mechanisms that have it."""

    option: Option
    owners: list[str]


@dataclass(frozen=True)
class MechanismOptions:
    """The values given for the options of all mechanisms.

    Attributes:
        values: Value by parameter name; None = not given.
        options: The option of each parameter.
    """

    values: dict[str, Any]
    options: dict[str, Shared]

    def of(self, chosen: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The options given for some mechanisms.

        Args:
            chosen: Names of the mechanisms that the command runs.

        Returns:
            The given options of each chosen mechanism that has any, by the name of the mechanism.

        Raises:
            InputError: An option is given that no chosen mechanism has.
        """
        found: dict[str, dict[str, Any]] = {}
        for parameter, value in self.values.items():
            if value is None:
                continue
            shared = self.options[parameter]
            owners = [name for name in shared.owners if name in chosen]
            if not owners:
                raise InputError(
                    f"{_flag(parameter)} {value} is an option of {' and '.join(shared.owners)}, not of "
                    f"{', '.join(chosen)}; add --attention {shared.owners[0]}."
                )
            for name in owners:
                found.setdefault(name, {})[shared.option.name] = value
        return found

    def implied(self, current: str) -> str:
        """The mechanism to use if none is given: the only one that has all given options, else the current one."""
        given = [set(self.options[parameter].owners) for parameter, value in self.values.items() if value is not None]
        common = set.intersection(*given) if given else {current}
        return current if current in common or len(common) != 1 else common.pop()


NONE_GIVEN = MechanismOptions({}, {})


def with_mechanism_options(command: Callable[..., Any]) -> Any:
    """A decorator that replaces the parameter `mechanism_options` of a command by the options of all mechanisms.

    Args:
        command: Its parameter `mechanism_options` receives a `MechanismOptions`.

    Returns:
        The command with one option for each option of a mechanism, in a panel of the help.
    """
    options = _parameter_names(inspect.signature(command).parameters)

    @functools.wraps(command)
    def run(**values: Any) -> Any:
        return command(**values | {COLLECTED: MechanismOptions(values[COLLECTED], options)})

    return with_parameters(COLLECTED, [_parameter(name, shared) for name, shared in options.items()])(run)


def _parameter_names(reserved: Iterable[str]) -> dict[str, Shared]:
    """All options by parameter name; none has one of the reserved names."""
    found: dict[str, Shared] = {}
    taken = {*reserved, "help"}
    for mechanism in mechanisms():
        for option in mechanism.options:
            plain = option.name not in taken and found.get(option.name, Shared(option, [])).option == option
            name = option.name if plain else f"{mechanism.name}_{option.name}".replace("-", "_")
            found.setdefault(name, Shared(option, [])).owners.append(mechanism.name)
    return found


def _parameter(name: str, shared: Shared) -> inspect.Parameter:
    option = shared.option
    kind: Any = Literal[option.choices] if option.choices else option.kind
    limits: Any = {} if option.kind is str else {"min": option.minimum, "max": option.maximum}
    info = typer.Option(
        _flag(name),
        **limits,
        callback=finite if option.kind is float else None,
        metavar={int: "N", float: "X"}.get(option.kind),
        rich_help_panel=ATTENTION,
        help=f"{option.help} ({', '.join(shared.owners)}; default: {option.default})",
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info]
    )


def _flag(parameter: str) -> str:
    return f"--{parameter.replace('_', '-')}"
