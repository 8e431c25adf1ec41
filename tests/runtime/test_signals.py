"""Ctrl-C in the middle of an import, of a library's work, and of the start of ffmpeg.

No process outlives the one that it works for.
"""

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
from rfcli.runtime.signals import whole_imports

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="a timer that signals")


def imported_and_waited() -> None:
    import_module("interrupted")
    signal.pause()  # until the next look


def test_an_import_ends_before_ctrl_c_interrupts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interrupted.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), whole_imports():
        imported_and_waited()
    assert sys.modules.pop("interrupted").whole
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_elsewhere_ctrl_c_interrupts_at_once() -> None:
    with whole_imports() as interrupted:
        assert not interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupted()


def test_what_a_library_makes_of_ctrl_c_is_still_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    def library() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ValueError("could not determine the shape of a storage") from None

    with pytest.raises(typer.Exit) as ended, Console("render"):
        library()
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == "Interrupted; what is finished is kept.\n"


LOST = """
import os, signal, sys
from pathlib import Path
import numpy as np
from rfcli.runtime.signals import whole_imports
from rfcli.pictures.video import write_mp4

os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))  # errors of such are told and forgotten
try:
    with whole_imports():
        write_mp4(Path(sys.argv[1]), [np.zeros((16, 16, 3), np.uint8)] * 3, 24)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_while_a_video_begins_is_not_lost(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", LOST, tmp_path / "video.mp4"], capture_output=True, text=True)
    assert (run.stdout, run.stderr, run.returncode) == ("interrupted\n", "", 0)
    assert list(tmp_path.iterdir()) == []


PARENT = """
import multiprocessing, os, time
from rfcli.runtime.signals import leave_with_parent

def child():
    leave_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=child)
    process.start()
    process.join()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on POSIX")
def test_a_child_ends_when_its_parent_is_killed_whatever_it_is_doing(tmp_path: Path) -> None:
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
