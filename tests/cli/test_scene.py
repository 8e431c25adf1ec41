"""`rf scene convert`, and `rf render` of files with cameras and lights."""

import json
from pathlib import Path

import numpy as np
import pytest

from rfcli.scene import load
from tests.cli.conftest import Rf
from tests.support.glb_files import QUAD, QUAD_FACES, GlbFile, studio


def test_convert_writes_json_and_hdf5(rf: Rf) -> None:
    studio().write(Path("studio.glb"))
    result = rf("scene", "convert", "studio.glb", "--json", "--detail", "4k")
    assert result.exit_code == 0, result.output
    receipt = json.loads(result.stdout)
    assert (receipt["command"], receipt["outputs"], receipt["triangles"]) == ("scene convert", ["studio.json"], 2800)
    assert any("sun" in note for note in receipt["notes"])
    assert rf("scene", "convert", "studio.glb", "--out", "studio.h5", "--max-triangles", "512").exit_code == 0
    assert len(load("studio.h5")) <= 512
    assert len(load("studio.json")) == 2800
    assert rf("render", "studio.json", "--show-scene").exit_code == 0


def test_mistakes_in_convert_are_sentences(rf: Rf) -> None:
    studio().write(Path("studio.glb"))
    for arguments, words in (
        (("studio.glb", "--out", "studio.obj"), ".h5 or .json"),
        (("absent.glb",), "no such"),
        (("studio.glb", "--detail", "many"), "--detail"),
        (("studio.glb", "--out", "nowhere/a.json"), "nowhere"),
    ):
        result = rf("scene", "convert", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_render_uses_the_cameras_of_the_file(rf: Rf, model: Path) -> None:
    studio().write(Path("studio.glb"))
    result = rf("render", "studio.glb", "--model", model, "--resolution", 16, "--json")
    assert result.exit_code == 0, result.output
    assert [view["triangles"] for view in json.loads(result.stdout)["views"]] == [2674, 2674]
    assert Path("studio-view1.png").is_file()
    assert "--detail" in result.stderr  # the floor's texture varies within two triangles


def test_show_scene_lists_parts_and_what_became_of_lights(rf: Rf) -> None:
    studio().write(Path("studio.glb"))
    result = rf("render", "studio.glb", "--show-scene", "--json")
    (shown,) = json.loads(result.stdout)["scenes"]
    assert [part["name"] for part in shown["parts"]] == ["floor", "wall", "gold", "red", "key", "spot", "sun"]
    assert len(shown["cameras"]) == 2
    assert sum("Light" in note for note in shown["notes"]) == 3
    backdrop = rf("render", "studio.glb", "--show-scene", "--json", "--backdrop")
    (shown,) = json.loads(backdrop.stdout)["scenes"]
    assert shown["parts"][-1]["name"] == "backdrop"
    assert len(shown["cameras"]) == 1


def test_unknown_required_extension_is_named(rf: Rf) -> None:
    glb = GlbFile()
    glb.node(mesh=glb.mesh(np.asarray(QUAD), QUAD_FACES))
    glb.document["extensionsRequired"] = ["KHR_draco_mesh_compression"]
    result = rf("render", str(glb.write(Path("box.glb"))))
    assert result.exit_code == 2
    assert "Draco" in result.stderr
    assert result.stderr.count("\n") == 1
