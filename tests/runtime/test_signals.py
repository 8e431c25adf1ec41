"""Ctrl-C during an import, in a library and as ffmpeg starts; processes that end with their parent."""

import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import psutil
import pytest
import typer

from rfcli.cli.console import Console
from rfcli.runtime.signals import uninterrupted_imports

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that signals")


def import_and_wait() -> None:
    import_module("interrupted")
    signal.pause()  # until the timer checks again


def test_ctrl_c_waits_for_the_end_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interrupted.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\ncomplete = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), uninterrupted_imports():
        import_and_wait()
    assert sys.modules.pop("interrupted").complete
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_ctrl_c_outside_imports_interrupts_at_once() -> None:
    with uninterrupted_imports() as interrupted:
        assert not interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupted()


def test_ctrl_c_that_a_library_turns_into_another_error_is_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    def library() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ValueError("could not determine the shape of a storage") from None

    with pytest.raises(typer.Exit) as ended, Console("render"):
        library()
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == "Interrupted; finished work is kept.\n"


# An error in a callback at fork is printed and ignored.
INTERRUPTED_AT_FORK = """
import os, signal, sys
from pathlib import Path
import numpy as np
from rfcli.runtime.signals import uninterrupted_imports
from rfcli.pictures.video import write_mp4

os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))
try:
    with uninterrupted_imports():
        write_mp4(Path(sys.argv[1]), [np.zeros((16, 16, 3), np.uint8)] * 3, 24)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_as_ffmpeg_starts_is_not_lost(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT_FORK, tmp_path / "video.mp4"], capture_output=True, text=True
    )
    assert (run.stdout, run.stderr, run.returncode) == ("interrupted\n", "", 0)
    assert list(tmp_path.iterdir()) == []


PARENT = """
import multiprocessing, os, time
from rfcli.runtime.signals import exit_with_parent

def child():
    exit_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=child)
    process.start()
    process.join()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(tmp_path / "parent.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        os.kill(parent.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs([child], timeout=20)
    assert not alive
