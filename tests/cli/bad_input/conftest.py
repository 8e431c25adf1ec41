"""What every bad input has in common: how it is refused."""

import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Rf
from tests.scene.conftest import scene_writer
from tests.support.default_machine import in_time

Refused = Callable[..., str]

SECONDS = 2.0  # on a usual machine
LONGEST = 1000  # characters of a sentence: what a file says of itself is not repeated without end
REMEDY = re.compile(r"; |: give |choose|use one of|must|See 'rf")


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """The libraries imported beforehand: a case's time is its own."""
    import rfcli.model
    import rfcli.pictures.inputs  # noqa: F401


@pytest.fixture
def refused(rf: Rf, tmp_path: Path) -> Refused:
    """`refused(ARGUMENTS, WORDS)`: rf ends with 2 and one sentence that has these words, and leaves nothing behind."""

    def check(arguments: list[object], words: list[str]) -> str:
        before = _listing(tmp_path)
        start = time.process_time()  # of the processor: the machine may be busy, rf may not
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # numpy's go to stderr and are no sentence of ours
            result = rf(*arguments)
        seconds = time.process_time() - start
        sentence = result.stderr.removesuffix("\n")
        assert result.exit_code == 2, f"exit {result.exit_code}: {sentence}"
        assert "\n" not in sentence
        assert sentence.endswith((".", "!", "?"))
        assert len(sentence) <= LONGEST
        assert sentence.isprintable()
        assert REMEDY.search(sentence), sentence
        assert all(word in sentence for word in words), sentence
        assert _listing(tmp_path) == before
        assert in_time(seconds, SECONDS)
        return sentence

    return check


def _listing(folder: Path) -> dict[str, float]:
    """Every file and folder below, with the time of its last change."""
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*") if not path.is_dir()} | {
        str(path): 0 for path in folder.rglob("*") if path.is_dir()
    }


@pytest.fixture
def write_scene(tmp_path: Path) -> Callable[..., Path]:
    """As tests/scene's: write(scene, mesh) -> path of scene.json beside meshes/part.obj."""
    return scene_writer(tmp_path)
