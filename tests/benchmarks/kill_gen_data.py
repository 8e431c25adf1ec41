"""Does `rf gen-data` survive? `python -m tests.benchmarks.kill_gen_data --kills 20`.

Makes a small dataset while its parent, one of its workers or all of them are killed (SIGKILL) at random moments, with
another number of workers after each kill; then the same dataset undisturbed by one worker, and compares every byte.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.killed_gen_data import lines, survive

AHEAD = 3  # scenes between kills, at most
RF = [sys.executable, "-c", "from rfcli.cli.app import main; main()", "gen-data", "--quiet"]
SMALL = ["--views", "1", "--resolution", "16", "--spp", "1", "--triangles", "128-400"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    told = parser.parse_args()
    scenes, rng = told.kills * (AHEAD + 6), random.Random(told.seed)
    with tempfile.TemporaryDirectory() as root:
        folder, whole = Path(root, "killed"), Path(root, "whole")

        def command(out: Path = folder, workers: int = 0) -> list[str]:
            count = workers or rng.randint(1, 3)
            return [*RF, *SMALL, "--scenes", str(scenes), "--workers", str(count), "--out", str(out)]

        killed = Counter[str]()
        for whom in survive(command, folder, told.kills, rng, AHEAD):
            killed[whom] += 1
            print(f"kill {killed.total()}: {whom}, with {lines(folder)} scenes in the manifest", flush=True)
        subprocess.run(command(whole, 1), check=True)
        one, other = ({p.relative_to(d): p.read_bytes() for p in d.rglob("*") if p.is_file()} for d in (folder, whole))
        differing = sorted(str(name) for name in {*one, *other} if one.get(name) != other.get(name))
    print(f"{scenes} scenes, kills: {dict(killed)}; files that differ: {differing or 'none'} of {len(other)}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
