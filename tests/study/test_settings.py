"""Settings of a study: refused combinations, curves, and the configs that are run."""

import dataclasses
from pathlib import Path

import pytest

import rfcli
from rfcli.errors import InputError
from rfcli.model import PRESETS, RenderFormer, save_checkpoint
from rfcli.study import QualitySettings, StudySettings
from rfcli.study.settings import Curve, curves
from tests.support.small_model import SMALL


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(RenderFormer(SMALL), folder, "random")
    return str(folder)


def settings(model: str, *attentions: str, layers: int = 1) -> StudySettings:
    return StudySettings(model, attentions or ("sdpa", "performer"), (128, 256), layers, "cpu", seed=0)


def test_impossible_settings_are_refused(model: str) -> None:
    with pytest.raises(InputError, match=r"`layers` 3.*2 layers"):
        settings(model, layers=3)
    with pytest.raises(InputError, match=r"`attention`.*'nothing'.*sdpa"):
        StudySettings("tiny", ("sdpa", "nothing"), (1024,), 1, "cpu", 0)
    with pytest.raises(InputError, match="nearfar, which is not among the mechanisms"):
        StudySettings("tiny", ("sdpa",), (1024,), 1, "cpu", 0, {"nearfar": {"keys": 512}})
    with pytest.raises(InputError, match="No model 'nowhere'"):
        StudySettings("nowhere", ("sdpa",), (1024,), 1, "cpu", 0)


@pytest.mark.parametrize("attention", ["sdpa", "nearfar"])
def test_several_processes_need_a_mechanism_that_can_be_split(model: str, attention: str) -> None:
    sentence = f"`attention`: {attention} cannot be split over processes; choose among performer, hedgehog, or run"
    with pytest.raises(InputError, match=sentence):
        dataclasses.replace(settings(model, "performer", attention), processes=2)
    shared = dataclasses.replace(settings(model, "performer", "hedgehog"), processes=2)
    assert shared.processes == 2
    with pytest.raises(InputError, match="`quality` runs in one process"):
        dataclasses.replace(shared, quality=QualitySettings())


@pytest.mark.parametrize(
    ("name", "preset", "millions"), [("tiny", "tiny", 2), ("base", "base", 205), ("large", "swin-large", 483)]
)
def test_sizes_are_the_published_architectures(name: str, preset: str, millions: int) -> None:
    study = StudySettings(name, ("sdpa",), (1024,), 1, "cpu", 0)
    assert study.architecture() == PRESETS[preset]
    stage = study.stage("performer")
    assert (stage.num_layers, stage.attention) == (1, "performer")
    assert study.whole_model("performer").num_layers == PRESETS[preset].num_layers
    assert study.resolution() == 256
    assert stage.latent_dim == PRESETS[preset].latent_dim
    with_keys = StudySettings(name, ("sdpa", "nearfar"), (1024,), 1, "cpu", 0, {"nearfar": {"keys": 512}})
    assert [with_keys.stage(name).attention_options for name in with_keys.attentions] == [{}, {"keys": 512}]
    assert round(study.parameters() / 1e6) == millions


@pytest.mark.parametrize("model", ["rf-tiny", "rf-tiny-performer"])
def test_stage_of_a_model_with_first_hits_has_a_valid_config(model: str) -> None:
    folder = Path(rfcli.__file__).parent / "weights" / model
    study = StudySettings(str(folder), ("sdpa", "performer"), (1024,), 1, "cpu", 0)
    assert study.architecture().visibility == "first-hit"
    assert [study.stage(name).attention for name in study.attentions] == ["sdpa", "performer"]


def test_mechanisms_have_one_curve_each_on_a_cpu() -> None:
    assert curves(["sdpa", "performer"], "cpu") == [Curve("sdpa", "sdpa"), Curve("performer", "performer")]


def test_kernels_and_formats_have_curves_of_their_own_on_cuda() -> None:
    found = curves(["sdpa", "performer", "nearfar"], "cuda")
    assert [curve.name for curve in found] == [
        "sdpa",
        "sdpa-plain",
        "sdpa-flash-bf16",
        "sdpa-plain-bf16",
        "performer",
        "performer-bf16",
        "nearfar",
        "nearfar-bf16",
    ]
    assert all(curve.precision == ("bf16" if curve.name.endswith("bf16") else "fp32") for curve in found)
    assert {curve.kernel for curve in found if curve.attention != "sdpa"} == {None}
    assert [curve.kernel for curve in found[:4]] == [None, "plain", "flash", "plain"]
