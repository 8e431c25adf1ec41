"""Checks that `rf gen-data` resumes to the same bytes: `python -m tests.benchmarks.kill_gen_data --kills 20`.

Makes a small dataset while SIGKILL hits its parent, one of its workers or all of them at random times, with another
number of workers after each kill. Then makes the same dataset with one worker and no kills, and compares all bytes.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.killed_gen_data import count_scenes, run_with_kills

MAX_SCENES_BETWEEN_KILLS = 3
RF = [sys.executable, "-c", "from rfcli.cli.app import main; main()", "gen-data", "--quiet"]
SMALL = ["--views", "1", "--resolution", "16", "--spp", "1", "--triangles", "128-400"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="seed of the times of the kills")
    arguments = parser.parse_args()
    scenes, rng = arguments.kills * (MAX_SCENES_BETWEEN_KILLS + 6), random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as root:
        killed_folder, whole_folder = Path(root, "killed"), Path(root, "whole")

        def command(out: Path = killed_folder, workers: int = 0) -> list[str]:
            count = workers or rng.randint(1, 3)
            return [*RF, *SMALL, "--scenes", str(scenes), "--workers", str(count), "--out", str(out)]

        killed = Counter[str]()
        for target in run_with_kills(command, killed_folder, arguments.kills, rng, MAX_SCENES_BETWEEN_KILLS):
            killed[target] += 1
            print(
                f"kill {killed.total()}: {target}, with {count_scenes(killed_folder)} scenes in the manifest",
                flush=True,
            )
        subprocess.run(command(whole_folder, 1), check=True)
        found, expected = (
            {p.relative_to(d): p.read_bytes() for p in d.rglob("*") if p.is_file()}
            for d in (killed_folder, whole_folder)
        )
        differing = sorted(str(name) for name in {*found, *expected} if found.get(name) != expected.get(name))
    print(f"{scenes} scenes, kills: {dict(killed)}; files that differ: {differing or 'none'} of {len(expected)}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
