"""Page faults and garbage collections of a process, with and without the settings."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = """
import ctypes, resource, sys
from rfcli.cli.startup import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
for _ in range(20):
    blocks = [libc.malloc(size << 20) for size in (50, 25)]
    for block, size in zip(blocks, (50, 25)):
        ctypes.memset(block, 1, size << 20)
    for block in blocks:
        libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting exists in glibc only")
def test_freed_blocks_are_reused_without_page_faults() -> None:
    def faults(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    pages = 75 * 256
    assert faults("keep") < 2 * pages
    assert faults("default") > 10 * pages


EXAMPLE = Path(__file__).parents[2] / "examples" / "cornell-box.json"
PROGRAM = """
import gc, os, sys
from rfcli.cli.app import main
result = os.dup(1)  # after a command, stdout leads to nowhere
sys.argv = ["rf", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
os.write(result, b"%d %d %d" % (gc.get_stats()[2]["collections"], len(gc.get_objects()), gc.get_freeze_count()))
"""


@pytest.mark.parametrize("mistaken", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_garbage_collections_of_a_render(tmp_path: Path, mistaken: bool) -> None:
    arguments = ["render", str(EXAMPLE), "--resolution", "63" if mistaken else "64", "--out", str(tmp_path), "--quiet"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    full, left, kept = map(int, done.stdout.split())
    assert full <= 2
    assert left < 1_000
    assert kept > 10_000
    assert bool(list(tmp_path.iterdir())) is not mistaken
