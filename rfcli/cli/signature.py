"""Gives a command options that are described elsewhere: by the fields of a dataclass, or by attention mechanisms."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any


def with_parameters(collected: str, parameters: Sequence[inspect.Parameter]) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that replaces one parameter of a command by several options.

    Args:
        collected: Name of the command's parameter that receives the options' values as a dict, name to value.
        parameters: The options, as keyword parameters annotated the way Typer reads them.

    Returns:
        The decorator. The decorated command has the options where `collected` stood.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = list(inspect.signature(command).parameters.values())
        place = next(index for index, parameter in enumerate(own) if parameter.name == collected)
        options = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
        plain = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        names = {parameter.name for parameter in options}

        def run(**values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            return command(**values, **{collected: given})

        shown = [*plain[:place], *options, *plain[place + 1 :]]
        run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        return run

    return decorate
