"""`--config FILE.yaml`: options from a file. Options on the command line take precedence."""

from pathlib import Path
from typing import Any

import typer

from rfcli.errors import InputError

MAX_CONFIG_BYTES = 1_000_000


def phase_as_text(group: dict[Any, Any]) -> str:
    """A phase of a curriculum, `{steps: 4000, resolution: 64, triangles: 256-1k}`, in command-line notation.

    Raises InputError, which names neither file nor option, for any other group.
    """
    names = ("resolution", "steps", "triangles")
    unknown = next((key for key in group if key not in names), None)
    if unknown is not None:
        raise InputError(f"a phase has no '{unknown}'; give it {', '.join(names)}")
    missing = next((name for name in names[:2] if group.get(name) is None), None)
    if missing is not None:
        raise InputError(f"a phase has no {missing}; give each of them {names[0]} and {names[1]}")
    values = [group[name] for name in names if group.get(name) is not None]
    wrong = next((v for v in values if isinstance(v, bool) or not isinstance(v, (int, str)) or "," in str(v)), None)
    if wrong is not None:
        raise InputError(f"a phase cannot have '{wrong}'; give whole numbers, and triangles such as 256-1k")
    return ":".join(map(str, values))


GROUPS = {"phases": phase_as_text}  # options whose values in a file may be groups, and their command-line notation


def apply_config(context: typer.Context, path: Path | None) -> Path | None:
    """Parser callback: makes the file's values the defaults of the command's options, before they are parsed.

    Keys are the long option names without leading dashes: `triangles: 1k-64k`, `samples-per-pixel: 32`.
    Raises typer.BadParameter if the file cannot be read or names an option that the command does not have.
    """
    if path is None:
        return None
    options = {
        name.lstrip("-").replace("-", "_"): parameter
        for parameter in context.command.params
        if parameter.param_type_name == "option" and parameter.name not in ("config", "help")
        for name in parameter.opts
        if name.startswith("--")
    }
    defaults: dict[str, Any] = {}
    for key, value in _read(path).items():
        parameter = options.get(str(key).replace("-", "_"))
        if parameter is None:
            known = ", ".join(name.replace("_", "-") for name in options)
            raise typer.BadParameter(f"{path} names an unknown option '{key}'; rf {context.info_name} has: {known}.")
        items = value if isinstance(value, list) else [value]
        if parameter.name in GROUPS and value is not None:
            value = items = [_group_as_text(path, str(key), parameter.name, item) for item in items]
        if any(isinstance(item, (dict, list, set, tuple, bytes)) for item in items):
            raise typer.BadParameter(f"{path}: option '{key}' must be a value or a list of values, not groups of them.")
        if any("\0" in str(item) for item in items):
            raise typer.BadParameter(f"{path}: option '{key}' contains a null character; remove it.")
        if value is not None and parameter.name is not None:
            defaults[parameter.name] = _in_command_line_notation(value, parameter.multiple)
    context.default_map = defaults
    return path


def _group_as_text(path: Path, key: str, name: str, item: Any) -> Any:
    """A group of values in command-line notation; other values unchanged."""
    if not isinstance(item, dict):
        return item
    try:
        return GROUPS[name](item)
    except InputError as error:
        raise typer.BadParameter(f"{path}: option '{key}': {error}.") from None


def _read(path: Path) -> dict[Any, Any]:
    import yaml

    try:
        size = path.stat().st_size
        if size > MAX_CONFIG_BYTES or not path.is_file():
            raise typer.BadParameter(f"{path} is not a file of options ({size / 1e6:,.0f} MB); give another.")
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read ({(error.strerror or 'error').lower()}).") from None
    except RecursionError:
        raise typer.BadParameter(f"{path} is nested too deeply; write lines of the form 'option: value'.") from None
    except (ValueError, AttributeError, TypeError, yaml.YAMLError) as error:  # the first three: invalid values
        raise typer.BadParameter(f"{path} is not valid YAML ({error}).") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise typer.BadParameter(f"{path} must contain lines of the form 'option: value'.")
    return values


def _in_command_line_notation(value: Any, multiple: bool) -> Any:
    """A YAML value in the form the parser expects from the shell; a list becomes `1k,4k`."""
    if multiple:
        return [str(item) for item in (value if isinstance(value, list) else [value])]
    if isinstance(value, bool):
        return value
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
