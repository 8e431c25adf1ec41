"""A mechanism of another package works everywhere like our own, with no change in rfcli."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from rfcli.attention import Context, create, find_mechanism, mechanisms, names
from rfcli.attention.registry import OWN_MECHANISMS
from rfcli.errors import InputError
from rfcli.model import RenderFormer, convert, save_checkpoint
from tests.support.model_scenes import cameras, random_batch, small_model
from tests.support.small_model import SMALL
from tests.support.training_datasets import write_dataset

DECLARATION = """
from rfcli.attention import Mechanism, Option

mechanism = Mechanism(
    name="mean",
    layer="mean_attention.layer:Mean",
    summary="Every token receives the mean of all values.",
    cost="N",
    needs_training=True,
    splits_over_processes=False,
    options=(
        Option("gain", float, 1.0, "Factor of the mean.", minimum=0.0),
        Option("seed", int, 0, "Seed of the initial scale.", minimum=0),
        Option("keys", str, "all", "Which keys count.", choices=("all", "real")),
    ),
)
broken = "not a mechanism"
"""

LAYER = """
import torch

from rfcli.attention import AttentionLayer


class Mean(AttentionLayer):
    def __init__(self, spec, gain, seed, keys):
        super().__init__(spec)
        self.gain = gain
        self.scale = torch.nn.Parameter(torch.ones(spec.heads, 1, 1))

    def forward(self, q, k, v, context):
        bias = context.key_bias()
        weight = v.new_zeros(len(v), v.shape[2]) if bias is None else bias.to(v)
        mean = torch.einsum("bn,bhnd->bhd", weight.softmax(-1), v)
        return (self.gain * self.scale * mean[:, :, None]).expand_as(q).to(q.dtype)
"""

ENTRY_POINTS = """
[rfcli.attention]
mean = mean_attention:mechanism
broken = mean_attention:broken
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package as pip installs it: modules, and a .dist-info folder with its entry points."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "mean_attention").mkdir()
    (folder / "mean_attention" / "__init__.py").write_text(DECLARATION)
    (folder / "mean_attention" / "layer.py").write_text(LAYER)
    info = folder / "mean_attention-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mean-attention\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.fixture
def installed(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(package))


@pytest.fixture(scope="module")
def softmax_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("softmax")
    save_checkpoint(RenderFormer(SMALL), folder, "random weights")
    return folder


def run_rf(package: Path, folder: Path, arguments: Sequence[object]) -> subprocess.CompletedProcess[str]:
    """Run `rf` in its own process, in which the package is installed."""
    program = [sys.executable, "-c", "from rfcli.cli.app import main; main()"]
    paths = os.pathsep.join([str(package), str(Path(__file__).parents[2])])
    return subprocess.run(
        [*program, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.usefixtures("installed")
def test_names_and_declaration() -> None:
    own = [mechanism.name for mechanism in OWN_MECHANISMS]
    assert names() == (*own, "broken", "mean")
    assert [mechanism.name for mechanism in mechanisms()] == [*own, "mean"]
    assert find_mechanism("mean").needs_training
    with pytest.raises(InputError, match=r"'broken' .* is not a Mechanism called 'broken'"):
        find_mechanism("broken")


@pytest.mark.usefixtures("installed")
def test_layer_is_created_with_its_options() -> None:
    v = torch.rand(1, 2, 5, 8)
    mask = torch.tensor([[True, True, False, True, False]])
    out = create("mean", heads=2, head_dim=8, gain=3.0)(v, v, v, Context(key_mask=mask))
    assert torch.allclose(out, 3 * v[:, :, mask[0]].mean(2, keepdim=True).expand_as(v))
    with pytest.raises(ValueError, match="mean: gain must be at least 0"):
        create("mean", heads=2, head_dim=8, gain=-1.0)


@pytest.mark.usefixtures("installed")
def test_model_renders_with_it() -> None:
    softmax = small_model()
    converted = convert(softmax, "mean", gain=2.0)
    batch, (c2w, fov) = random_batch(), cameras()
    with torch.no_grad():
        image = converted(batch, c2w, fov, 32)
        assert image.isfinite().all()
        assert not torch.allclose(image, softmax(batch, c2w, fov, 32), atol=1e-4)


def test_help_shows_its_options(package: Path, tmp_path: Path) -> None:
    """An option whose name is already in use gets the mechanism's name as a prefix."""
    help_text = run_rf(package, tmp_path, ["render", "--help"]).stdout
    assert "--gain" in help_text
    assert "Factor of the mean. (mean; default: 1.0)" in help_text
    assert "--mean-seed" in help_text
    assert "--mean-keys" in help_text
    assert "--keys" in help_text


@pytest.mark.slow
def test_render_warns_until_finetune_has_trained_it(package: Path, softmax_model: Path, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", 4)
    scene = data / "scenes" / "000000.h5"
    use = ["--attention", "mean", "--gain", 2, "--mean-keys", "real", "--json"]

    rendered = run_rf(package, tmp_path, ["render", scene, "--model", softmax_model, "--resolution", 16, *use])
    assert rendered.returncode == 0, rendered.stderr
    assert "rf finetune --attention mean" in rendered.stderr
    assert json.loads(rendered.stdout)["model"]["attention"] == "mean"

    short = ["--data", data, "--resolution", 8, "--batch", 2, "--steps", 3, "--validate-every", 3]
    tuned = run_rf(package, tmp_path, ["finetune", "--from", softmax_model, *use, *short])
    assert tuned.returncode == 0, tuned.stderr
    config = json.loads((tmp_path / "runs/finetune/config.json").read_text())
    assert config["attention"] == "mean"
    assert config["attention_options"] == {"gain": 2.0, "keys": "real"}
    assert "| transfer | 1 |" in (tmp_path / "runs/finetune/README.md").read_text()  # a third of the steps

    rendered = run_rf(package, tmp_path, ["render", scene, "--model", "runs/finetune", "--resolution", 16, "--json"])
    assert rendered.returncode == 0, rendered.stderr
    assert "until" not in rendered.stderr


@pytest.mark.slow
def test_bench_measures_it_and_marks_its_images_as_untrained(
    package: Path, softmax_model: Path, tmp_path: Path
) -> None:
    scene = write_dataset(tmp_path / "data", 1) / "scenes" / "000000.h5"
    options = ["--triangles", 32, "--model", softmax_model, "--attention", "sdpa,mean", "--gain", 2, "--budget", 2]
    result = run_rf(package, tmp_path, ["bench", "--scene", scene, *options, "--quality", "--json"])
    assert result.returncode == 0, result.stderr
    receipt = json.loads(result.stdout)
    assert {row["attention"] for row in receipt["rows"]} == {"sdpa", "mean"}
    trained = {row["attention"]: row["trained"] for row in receipt["quality"]}
    assert trained == {"sdpa": True, "mean": False}
    settings = json.loads((tmp_path / "bench/results.json").read_text())
    assert settings["options"] == {"mean": {"gain": 2.0}}

    refused = run_rf(package, tmp_path, ["bench", "--attention", "sdpa", "--gain", 2])
    assert refused.returncode == 2
    assert "--gain 2.0 is an option of mean, not of sdpa; add --attention mean." in refused.stderr
