"""How every invalid input is refused: one sentence, exit code 2, no files, little time."""

import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Rf
from tests.scene.conftest import scene_writer
from tests.support.time_limits import in_time

Refused = Callable[..., str]

MAX_SECONDS = 2.0  # on a machine of usual speed
MAX_SENTENCE = 1000  # characters: quoted contents of files are shortened
REMEDY = re.compile(r"; |: give |choose|use one of|must|See 'rf")


@pytest.fixture(scope="session", autouse=True)
def import_libraries() -> None:
    """The time of imports is not measured in any test."""
    import rfcli.model
    import rfcli.pictures.inputs  # noqa: F401


@pytest.fixture
def refused(rf: Rf, tmp_path: Path) -> Refused:
    """`refused(ARGUMENTS, WORDS)`: rf exits with 2 and one sentence that contains the words, and writes nothing."""

    def check(arguments: list[object], words: list[str]) -> str:
        before = _listing(tmp_path)
        start = time.process_time()  # of the processor: other work on the machine does not count
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # a warning of numpy would be a second line on stderr
            result = rf(*arguments)
        seconds = time.process_time() - start
        sentence = result.stderr.removesuffix("\n")
        assert result.exit_code == 2, f"exit {result.exit_code}: {sentence}"
        assert "\n" not in sentence
        assert sentence.endswith((".", "!", "?"))
        assert len(sentence) <= MAX_SENTENCE
        assert sentence.isprintable()
        assert REMEDY.search(sentence), sentence
        assert all(word in sentence for word in words), sentence
        assert _listing(tmp_path) == before
        assert in_time(seconds, MAX_SECONDS)
        return sentence

    return check


def _listing(folder: Path) -> dict[str, float]:
    """All files and folders below, with the time of the last change of files."""
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*") if not path.is_dir()} | {
        str(path): 0 for path in folder.rglob("*") if path.is_dir()
    }


@pytest.fixture
def write_scene(tmp_path: Path) -> Callable[..., Path]:
    """write(scene, mesh) -> path of scene.json, which is next to meshes/part.obj."""
    return scene_writer(tmp_path)
