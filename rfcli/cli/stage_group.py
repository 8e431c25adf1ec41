"""A stage of a curriculum as it stands in a file of options."""

from typing import Any

from rfcli.errors import InputError


def as_text(group: dict[Any, Any]) -> str:
    """A stage as it stands in a file, `{steps: 4000, resolution: 64, triangles: 256-1k}`, as on the command line.

    Raises InputError, which names neither file nor option, for a group of anything else.
    """
    names = ("resolution", "steps", "triangles")
    unknown = next((key for key in group if key not in names), None)
    if unknown is not None:
        raise InputError(f"a stage has no '{unknown}'; give it {', '.join(names)}")
    missing = next((name for name in names[:2] if group.get(name) is None), None)
    if missing is not None:
        raise InputError(f"a stage has no {missing}; give each of them {names[0]} and {names[1]}")
    values = [group[name] for name in names if group.get(name) is not None]
    wrong = next((v for v in values if isinstance(v, bool) or not isinstance(v, (int, str)) or "," in str(v)), None)
    if wrong is not None:
        raise InputError(f"a stage cannot have '{wrong}'; give whole numbers, and triangles such as 256-1k")
    return ":".join(map(str, values))
