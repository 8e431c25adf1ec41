"""`rf render --show-scene`: tables of the objects, lights and cameras of a scene."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rfcli.cli.console import Console

if TYPE_CHECKING:
    from rich.table import Table

    from rfcli.pictures.inputs import SceneInput
    from rfcli.scene import Inventory


def show_scenes(console: Console, inputs: "Sequence[SceneInput]") -> list[dict[str, Any]]:
    """Print the contents of the scenes; returns the same for the receipt."""
    from rfcli.scene import scene_inventory

    entries = []
    for item in inputs:
        inventory = scene_inventory(item.scene, item.path, item.placed.objects)
        console.print(f"{item.path}: {len(item.scene):,} triangles")
        for sentence in item.placed.mapping:
            console.print(sentence)
        show_inventory(console, inventory)
        notes = [*item.placed.notes, *item.placed.mapping]
        entries.append({"scene": item.path, "triangles": len(item.scene), **asdict(inventory), "notes": notes})
    return entries


def show_inventory(console: Console, inventory: "Inventory") -> None:
    """Print one table each of objects or materials, lights and cameras, then the warnings."""
    first = "object" if inventory.by_object else "material"
    parts = _table(first, "triangles", "size", "diffuse", "specular", "rough")
    for part in inventory.parts:
        numbers = (f"{part.specular:.2f}", "light" if part.emission else f"{part.roughness:.2f}")
        parts.add_row(part.name, f"{part.triangles:,}", _triple(part.size), _triple(part.diffuse), *numbers)
    lights = _table("light", "triangles", "radiance", "area", "distance")
    for number, light in enumerate(inventory.lights):
        row = (f"{light.triangles:,}", f"{light.radiance:,.1f}", f"{light.area:.4f}", f"{light.distance:.2f}")
        lights.add_row(str(number), *row)
    cameras = _table("camera", "position", "looks along", "field of view")
    for number, camera in enumerate(inventory.cameras):
        cameras.add_row(str(number), _triple(camera.position), _triple(camera.direction), f"{camera.fov:.1f}°")
    for table in (parts, lights, cameras):
        if table.row_count:
            console.print("")
            console.print(table)
    console.print("")
    for warning in inventory.warnings:
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
