"""Writes .github/pictures/bundled.png, pictures by the bundled models: `python -m tests.benchmarks.bundled`.

Scenes of examples/, which are not in the training data, rendered by the path tracer, the softmax model, its linear
twin, and the softmax model with near-far attention, untrained. The number is the PSNR against the path tracer.
"""

import argparse
from pathlib import Path

import rfcli
from rfcli.model import convert
from tests.benchmarks.side_by_side import TRUTH, write_figure

SCENES = ("cornell-box", "chess", "still-life", "vase")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="*", default=[f"examples/{name}.json" for name in SCENES])
    parser.add_argument("--keys", type=int, default=128)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--paths", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path(".github/pictures/bundled.png"))
    arguments = parser.parse_args()
    softmax = rfcli.load_model("tiny")
    models = {
        "softmax": softmax,
        "linear (performer)": rfcli.load_model("tiny-performer"),
        f"near-far, {arguments.keys} keys": convert(softmax, "nearfar", keys=arguments.keys),
    }
    write_figure(arguments.scenes, models, TRUTH, arguments.resolution, arguments.paths, arguments.out)


if __name__ == "__main__":
    main()
