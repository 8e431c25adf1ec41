"""The viewer from Python, and mistakes in `rf view`."""

import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rfcli
from rfcli import viewer
from rfcli.cli.app import app
from tests.support.viewer_scenes import two_lamps


def test_viewer_from_python(tmp_path: Path) -> None:
    shown = rfcli.view(two_lamps(), rfcli.load_model("tiny", device="cpu"), resolution=32, out=tmp_path, port=8180)
    try:
        other = rfcli.view(two_lamps(), rfcli.load_model("tiny", device="cpu"), resolution=32, out=tmp_path, port=8180)
        other.close()
        assert other.url != shown.url  # the port was taken
        with urllib.request.urlopen(shown.url, timeout=60) as page:
            assert page.status == 200
        assert shown.url in shown._repr_html_()
        assert shown._server.request_share_url() is None  # nothing is published through another machine
    finally:
        shown.close()
    shown.close()  # again: no effect
    shown.wait()  # returns, since it is closed
    with pytest.raises(OSError, match=r"."):
        urllib.request.urlopen(shown.url, timeout=5)


def test_resolution_that_the_model_cannot_render() -> None:
    with pytest.raises(rfcli.InputError, match="multiple"):
        rfcli.view(two_lamps(), "tiny", resolution=30)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["examples/absent.json"], "absent.json"),
        (["examples"], "give one of them"),
        (["examples/vase.json", "--resolution", "30"], "--resolution 30"),
        (["examples/vase.json", "--save-scene", "scene.png"], "written as .h5"),
        (["examples/vase.json", "--port", "0"], "--port"),
    ],
)
def test_mistakes_on_the_command_line(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["view", *arguments, "--no-open"], prog_name="rf")
    assert result.exit_code == 2
    assert words in result.output


def test_without_viser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "find_spec", lambda name: None)
    with pytest.raises(rfcli.InputError, match=r"pip install 'rfcli\[view\]'"):
        rfcli.view("examples/vase.json")
