"""`rf train` and `rf finetune` on a small path-traced dataset."""

import json
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from rfcli.cli.app import app
from rfcli.model import read_checkpoint
from rfcli.training.options import OVERFIT_STEPS
from tests.cli.conftest import Rf

SMALL = ("--resolution", 16, "--batch", 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four path-traced scenes, the first of which is held out."""
    folder = tmp_path_factory.mktemp("data")
    options = ["--scenes", "4", "--resolution", "16", "--spp", "4", "--views", "2", "--triangles", "256-400"]
    result = CliRunner().invoke(app, ["gen-data", "--out", str(folder), *options, "--quiet"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.slow
def test_from_data_to_a_linear_model_and_a_picture(rf: Rf, data: Path) -> None:
    """Without --from, --data and --model, each command uses the output of the one before."""
    Path("data").symlink_to(data)
    trained = rf("train", *SMALL, "--steps", 4, "--validate-every", 2, "--json")
    assert trained.exit_code == 0, trained.output
    receipt = json.loads(trained.stdout)
    assert receipt["steps"] == 4
    assert receipt["resumed_from"] is None
    assert receipt["loss"] > 0
    assert receipt["perceptual"].partition(",")[0] in ("ssim", "lpips")
    assert 0 < receipt["validation"]["psnr"] < 60
    assert all(Path(path).exists() for path in receipt["outputs"])
    assert receipt["model"]["attention"] == "sdpa"
    card = Path("runs/train/README.md").read_text()
    manifest = sha256((data / "manifest.jsonl").read_bytes()).hexdigest()
    assert f'| sha256 of the data\'s manifest | "{manifest}" |' in card
    assert "| steps | 4 |" in card
    assert f"| {receipt['validation']['psnr']:.2f} dB | {receipt['validation']['ssim']:.4f} |" in card

    linear = rf("finetune", "--performer", *SMALL, "--steps", 4, "--validate-every", 2, "--json")
    assert linear.exit_code == 0, linear.output
    assert json.loads(linear.stdout)["model"]["attention"] == "performer"
    assert "Starting from runs/train." in linear.stderr
    config = read_checkpoint(Path("runs/finetune")).config
    assert (config.attention, config.training_resolution) == ("performer", 16)

    scene = next((data / "scenes").glob("*.h5"))
    picture = rf("render", scene, "--view", 0, "--json")
    assert picture.exit_code == 0, picture.output
    assert "finetune" in json.loads(picture.stdout)["model"]["name"]


def test_a_dry_run_prints_estimates_and_writes_nothing(rf: Rf, data: Path) -> None:
    result = rf("train", "--data", data, *SMALL, "--steps", 400, "--dry-run", "--recompute", "--workers", 2, "--json")
    assert result.exit_code == 0, result.output
    receipt = json.loads(result.stdout)["dry_run"]
    assert f"{receipt['parameters']:,} parameters, {receipt['peak_bytes'] / 2**30:.1f} GiB" in result.stderr
    assert receipt["hours"] > 400 * receipt["step_seconds"] / 3600
    assert (receipt["workers"], len(receipt["waiting"])) == (2, 1)
    assert receipt["worker_bytes"] > 1e6
    assert "with 2 worker processes" in result.stderr
    assert not list(Path().iterdir())


def test_a_finished_run_is_not_repeated_and_other_options_are_refused(rf: Rf, data: Path) -> None:
    command = ("train", "--data", data, *SMALL, "--validate-every", 2)
    assert rf(*command, "--steps", 2).exit_code == 0
    before = Path("runs/train/model.safetensors").read_bytes()
    again = rf(*command, "--steps", 2, "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["resumed_from"] == 2
    assert Path("runs/train/model.safetensors").read_bytes() == before
    other = rf(*command, "--steps", 3)
    assert other.exit_code == 2
    assert "--steps 2, not 3" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train",), "data holds no scenes; generate a dataset first, or give another folder as --data"),
        (("train", "--rate", 0), "--rate must be above 0"),
        (("train", "--data", "nonsense://x"), "--data nonsense://x cannot be read (Protocol not known: nonsense)"),
        (("train", "--ema", 1), "--ema must be from 0 to below 1"),
        (("train", "--triangles", "900-300"), "--triangles: '900-300' runs from high to low"),
        (("finetune", "--performer", "--attention", "sdpa"), "--performer and --attention sdpa contradict each other"),
        (("finetune", "--from", "nowhere"), "No model 'nowhere'"),
        (("finetune", "--attention", "softmux"), "Unknown attention 'softmux'"),
    ],
)
def test_mistakes_are_one_sentence(rf: Rf, arguments: tuple[object, ...], message: str) -> None:
    result = rf(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("runs").exists()


def test_options_without_effect_are_a_warning(rf: Rf, data: Path, model: Path) -> None:
    command = ("--data", data, *SMALL, "--steps", 1, "--dry-run")
    alone = rf("train", *command, "--shard-weights")
    assert alone.exit_code == 0, alone.output
    assert "--shard-weights has no effect in a single process" in alone.stderr
    unchanged = rf("finetune", "--from", model, *command, "--transfer", 1)
    assert unchanged.exit_code == 0, unchanged.output
    assert "--transfer has no effect: the attention stays sdpa." in unchanged.stderr
    frozen = rf("finetune", "--from", model, *command, "--performer", "--freeze", "triangles")
    assert frozen.exit_code == 0, frozen.output
    assert "--freeze triangles leaves the new attention, performer, untrained." in frozen.stderr


def test_an_option_of_a_mechanism_implies_it(rf: Rf, data: Path, model: Path) -> None:
    command = ("finetune", "--from", model, "--data", data, *SMALL, "--steps", 2, "--keys", 99)
    refused = rf(*command, "--performer")
    assert refused.exit_code == 2
    assert "--keys 99 is an option of nearfar, not of performer" in refused.stderr
    tuned = rf(*command, "--json")
    assert tuned.exit_code == 0, tuned.output
    config = read_checkpoint(Path("runs/finetune")).config
    assert (config.attention, config.attention_options) == ("nearfar", {"keys": 99})


def test_learned_features_are_kept_in_further_fine_tuning(rf: Rf, data: Path, model: Path) -> None:
    command = ("finetune", "--data", data, *SMALL, "--steps", 4)
    first = rf(*command, "--from", model, "--attention", "hedgehog", "--transfer", 3, "--rate", 0.01)
    assert first.exit_code == 0, first.output
    learned = read_checkpoint(Path("runs/finetune")).state_dict()
    maps = [name for name in learned if name.endswith("query_map")]
    assert maps
    assert all(not torch.equal(learned[name], torch.eye(learned[name].shape[-1])[None]) for name in maps)
    again = rf(*command, "--from", "runs/finetune", "--rate", 1e-9, "--out", "runs/again")
    assert again.exit_code == 0, again.output
    tuned = read_checkpoint(Path("runs/again")).state_dict()
    assert all(torch.allclose(tuned[name], value, atol=1e-6) for name, value in learned.items())


def test_changes_of_the_model_are_in_its_config(rf: Rf, data: Path) -> None:
    """The bundled model computes channels apart and light relative to its amount; both can be undone, layers added."""
    command = ("finetune", "--data", data, *SMALL, "--from", "tiny", "--steps", 1)
    tuned = rf(*command, "--channels", "together", "--light", "given", "--layers", 11)
    assert tuned.exit_code == 0, tuned.output
    config = read_checkpoint(Path("runs/finetune")).config
    assert (config.channels, config.light, config.num_layers) == ("together", "given", 11)
    card = Path("runs/finetune/README.md").read_text()
    assert "tiny, attention sdpa, 11 layers, channels together, light given" in card


def test_too_few_scenes_and_a_resolution_that_does_not_divide(rf: Rf, data: Path) -> None:
    few = rf("train", "--data", data, "--triangles", "1-2")
    assert few.exit_code == 2
    assert "holds no scenes of 1 to 2 triangles; widen --triangles" in few.stderr
    odd = rf("train", "--data", data, "--resolution", 24)
    assert odd.exit_code == 2
    assert "--resolution 24 must divide" in odd.stderr
    Path("taken").write_text("")
    blocked = rf("train", "--data", data, *SMALL, "--steps", 2, "--out", "taken/run")
    assert blocked.exit_code == 2
    assert "taken" in blocked.stderr


@pytest.mark.filterwarnings("ignore:Skipping Gaussian Smoothing")  # windows of 11 pixels, images of 8
def test_phases_from_a_file_are_printed_trained_and_resumed(rf: Rf, data: Path) -> None:
    Path("rf.yaml").write_text(
        "phases:\n  - {steps: 2, resolution: 8, triangles: 256-350}\n  - {steps: 2, resolution: 16}\n"
        f"data: {data}\nbatch: 2\nwarmup: 1\nvalidate-every: 50\n"
    )
    estimated = rf("train", "--config", "rf.yaml", "--dry-run", "--json")
    assert estimated.exit_code == 0, estimated.output
    assert len(json.loads(estimated.stdout)["dry_run"]["phase_seconds"]) == 2
    assert "2 steps at 8 x 8: " in estimated.stderr
    trained = rf("train", "--config", "rf.yaml", "--json")
    assert trained.exit_code == 0, trained.output
    assert [line for line in trained.stderr.splitlines() if line.startswith("Phase ")] == [
        "Phase 1 of 2: 2 steps on images of 8 x 8 pixels and scenes of 256 to 350 triangles.",
        "Phase 2 of 2: 2 steps on images of 16 x 16 pixels.",
    ]
    receipt = json.loads(trained.stdout)
    assert receipt["steps"] == 4
    assert receipt["phases"] == [
        {"steps": 2, "resolution": 8, "triangles": [256, 350]},
        {"steps": 2, "resolution": 16, "triangles": None},
    ]
    assert read_checkpoint(Path("runs/train")).config.training_resolution == 16
    command = ("train", "--data", data, "--batch", 2, "--warmup", 1, "--validate-every", 50)
    for option in ("--phases", "--stages"):
        again = rf(*command, option, "8:2:256-350,16:2", "--json")
        assert again.exit_code == 0, again.output
        assert json.loads(again.stdout)["resumed_from"] == 4


def test_tensorboard_is_written_if_requested_and_named_if_missing(
    rf: Rf, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", "--data", data, *SMALL, "--steps", 2, "--validate-every", 2)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch.utils.tensorboard", None)
        missing = rf(*command, "--tensorboard")
    assert missing.exit_code == 2
    assert missing.stderr == "--tensorboard needs TensorBoard; pip install 'rfcli[tensorboard]'.\n"
    assert not list(Path().iterdir())
    written = rf(*command, "--tensorboard", "--json")
    assert written.exit_code == 0, written.output
    receipt = json.loads(written.stdout)
    assert "runs/train/tensorboard" in receipt["outputs"]
    assert list(Path("runs/train/tensorboard").glob("events.out.tfevents.*"))
    assert 0 < receipt["loading"] < 1


@pytest.mark.long
def test_one_scene_is_overfitted_in_minutes(rf: Rf) -> None:
    made = rf("gen-data", "--scenes", 2, "--resolution", 64, "--spp", 32, "--seed", 11, "--triangles", "256-2k")
    assert made.exit_code == 0, made.output
    trained = rf("train", "--overfit", 1, "--json")
    assert trained.exit_code == 0, trained.output
    receipt = json.loads(trained.stdout)
    assert receipt["steps"] == OVERFIT_STEPS
    assert receipt["validation"]["psnr"] > 35
    assert receipt["validation"]["psnr_without_attention"] < 25


@pytest.mark.slow
def test_v2_small_trains_resumes_to_the_same_weights_and_renders(rf: Rf, data: Path) -> None:
    command = ("train", "--model", "v2-small", "--data", data, *SMALL, "--steps", 4, "--validate-every", 2, "--json")
    trained = rf(*command)
    assert trained.exit_code == 0, trained.output
    assert json.loads(trained.stdout)["model"]["attention"] == "window"
    weights = Path("runs/train/model.safetensors").read_bytes()
    max(Path("runs/train/states").iterdir(), key=lambda path: path.name).unlink()
    resumed = rf(*command)
    assert json.loads(resumed.stdout)["resumed_from"] == 2
    assert Path("runs/train/model.safetensors").read_bytes() == weights
    for options in ((), ("--attention", "nearfar"), ("--half-window", 8)):
        picture = rf(
            "render", next((data / "scenes").glob("*.h5")), "--view", 0, "--resolution", 16, *options, "--json"
        )
        assert picture.exit_code == 0, picture.output
