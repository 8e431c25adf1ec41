"""Mechanisms by name, their declarations, and imports without torch."""

import subprocess
import sys

import pytest
import torch

from rfcli.attention import AttentionLayer, Context, LayerSpec, Mechanism, Option, create, find_mechanism, names
from rfcli.errors import InputError
from rfcli.model import convert
from tests.support.model_scenes import small_model


def test_own_mechanisms() -> None:
    assert names() == ("sdpa", "performer", "hedgehog", "nearfar", "window")
    assert [name for name in names() if find_mechanism(name).needs_training] == ["performer", "hedgehog", "window"]
    assert [name for name in names() if find_mechanism(name).splits_over_processes] == ["performer", "hedgehog"]


def test_names_and_options_need_no_torch() -> None:
    code = """
import sys
from rfcli.attention import find_mechanism, mechanisms, names
assert [mechanism.name for mechanism in mechanisms()] == list(names())
assert [option.name for option in find_mechanism("nearfar").options] == ["keys"]
assert "torch" not in sys.modules and "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown attention 'sdap'.*sdpa"):
        create("sdap", heads=1, head_dim=32)
    with pytest.raises(InputError, match=r"Unknown attention 'mean'.*sdpa"):
        convert(small_model(), "mean")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("performer", {"features": 0}, "performer: features must be at least 1, got 0"),
        ("performer", {"features": 2.0}, "performer: features must be a whole number, got 2.0"),
        ("performer", {"feature_map": "elu"}, "performer: feature_map must be one of learned, favor, got 'elu'"),
        ("nearfar", {"keys": True}, "nearfar: keys must be a whole number, got True"),
        ("nearfar", {"keys": 1 << 17}, "nearfar: keys must be at most 65536, got 131072"),
    ],
)
def test_options_outside_their_declaration_are_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create(name, heads=1, head_dim=32, **options)


def test_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="heat"):
        create("sdpa", heads=1, head_dim=32, heat=1)


def test_number_options_accept_whole_numbers_but_not_infinity() -> None:
    option = Option("gain", float, 1.0, "A factor.")
    option.check(2)
    with pytest.raises(ValueError, match="gain must be a number, got inf"):
        option.check(float("inf"))


def test_layer_receives_spec_and_declared_defaults() -> None:
    received = []

    def layer(spec: LayerSpec, gain: float) -> AttentionLayer:
        received.append((spec, gain))
        return AttentionLayer(spec)

    mechanism = Mechanism("mean", layer, "", "N", False, options=(Option("gain", float, 3.0, ""),))
    created = mechanism.create_layer(LayerSpec(2, 16, index=4))
    assert received == [(LayerSpec(2, 16, 4, None), 3.0)]
    assert created.plan(Context()) is None
    created.redraw(0)
    with pytest.raises(NotImplementedError):
        created(*[torch.zeros(1, 2, 3, 16)] * 3, Context())
