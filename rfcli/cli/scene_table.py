"""`rf render --show-scene`: the inventory of a scene as tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from rfcli.cli.console import Console

if TYPE_CHECKING:
    from rich.table import Table

    from rfcli.scene.inventory import Inventory


def show_scene(console: Console, path: Path, triangles: int, found: "Inventory") -> None:
    """Print what is in the scene at `path`, and its warnings."""
    console.say(f"{path}: {triangles:,} triangles")
    parts = _table("object" if found.by_object else "material", "triangles", "size", "diffuse", "specular", "rough")
    for part in found.parts:
        numbers = (f"{part.specular:.2f}", "light" if part.emission else f"{part.roughness:.2f}")
        parts.add_row(part.name, f"{part.triangles:,}", _triple(part.size), _triple(part.diffuse), *numbers)
    lights = _table("light", "triangles", "radiance", "area", "distance")
    for number, light in enumerate(found.lights):
        row = (f"{light.triangles:,}", f"{light.radiance:,.1f}", f"{light.area:.4f}", f"{light.distance:.2f}")
        lights.add_row(str(number), *row)
    cameras = _table("camera", "position", "looks along", "field of view")
    for number, camera in enumerate(found.cameras):
        cameras.add_row(str(number), _triple(camera.position), _triple(camera.direction), f"{camera.fov:.1f}°")
    for table in (parts, lights, cameras):
        if table.row_count:
            console.say("")
            console.say(table)
    console.say("")
    for warning in found.warnings:
        console.warn(warning)


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _triple(values: tuple[float, float, float]) -> str:
    return " ".join(f"{value + 0.0:.2f}" for value in values)
