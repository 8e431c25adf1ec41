"""What is imported is not walked through again and again for garbage."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "cornell-box.json"
PROGRAM = """
import gc, sys
from rfcli.cli.app import main
sys.argv = ["rf", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print(gc.get_stats()[2]["collections"], len(gc.get_objects()), gc.get_freeze_count())
"""


@pytest.mark.parametrize("mistaken", [False, True])
def test_a_render_collects_seldom_and_at_its_end_no_more(tmp_path: Path, mistaken: bool) -> None:
    told = ["render", str(EXAMPLE), "--resolution", "63" if mistaken else "64", "--out", str(tmp_path), "--quiet"]
    said = subprocess.run([sys.executable, "-c", PROGRAM, *told], capture_output=True, text=True, check=True)
    full, left, kept = map(int, said.stdout.split())
    assert full <= 2
    assert left < 1_000
    assert kept > 10_000
    assert bool(list(tmp_path.iterdir())) is not mistaken
