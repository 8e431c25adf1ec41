"""The attention context of a batch: mask, emitters, key weights and surface features."""

import pytest
import torch

from rfcli.model import SceneBatch
from rfcli.model.attention_context import emitter_weights, key_context, log_key_weight, surface_features
from rfcli.model.batch import triangle_areas
from tests.support.model_scenes import SMALL, random_batch

REGISTERS = SMALL.num_register_tokens


def padded_batch() -> SceneBatch:
    """Two scenes of 6 triangles; the last two of the second are padding. The first triangle of each emits."""
    batch = random_batch(scenes=2, triangles=6)
    batch.mask[1, 4:] = False
    return batch


def test_context_describes_registers_and_triangles() -> None:
    batch = padded_batch()
    context = key_context(batch, SMALL)
    assert context.registers == REGISTERS
    assert context.key_mask is not None
    assert context.key_mask[:, :REGISTERS].all()  # registers are never masked
    assert torch.equal(context.key_mask[:, REGISTERS:], batch.mask)
    assert context.emitters is not None
    assert not context.emitters[:, :REGISTERS].any()
    assert torch.equal(context.emitters[:, REGISTERS:], batch.emitters)
    assert context.log_weight is not None
    assert context.log_weight.shape == (2, REGISTERS + 6)
    assert context.plan is None
    assert key_context(random_batch(), SMALL).key_mask is None  # without padding


def test_area_weights_are_shares_of_the_area_of_real_surfaces_that_do_not_emit() -> None:
    batch = padded_batch()
    weights = log_key_weight("area", batch, REGISTERS)
    assert weights is not None
    assert (weights[:, :REGISTERS] == 0).all()  # registers have weight 1
    assert batch.material is not None
    light = triangle_areas(batch.triangles) * batch.material[..., 10:].mean(-1) * batch.emitters
    torch.testing.assert_close(weights[:, REGISTERS].exp(), emitter_weights(batch.triangles, light)[:, 0])
    for scene, last in ((0, 6), (1, 4)):
        areas = triangle_areas(batch.triangles[scene, 1:last]).double()
        shares = torch.exp(weights[scene, REGISTERS + 1 : REGISTERS + last].double())
        torch.testing.assert_close(shares, areas / areas.sum(), rtol=1e-5, atol=0)


def test_normalised_weights_are_equal_and_sum_to_one() -> None:
    weights = log_key_weight("normalised", padded_batch(), REGISTERS)
    assert weights is not None
    assert (weights[:, : REGISTERS + 1] == 0).all()
    assert torch.exp(weights[0, REGISTERS + 1 :]).tolist() == pytest.approx([1 / 5] * 5)
    assert torch.exp(weights[1, REGISTERS + 1 : REGISTERS + 4]).tolist() == pytest.approx([1 / 3] * 3)


def test_count_has_no_weights() -> None:
    assert log_key_weight("count", padded_batch(), REGISTERS) is None


def test_surface_features_are_centroid_normal_half_the_albedo_and_log_emission() -> None:
    batch = random_batch(scenes=2, triangles=5)
    assert batch.material is not None
    features = surface_features(batch, registers=3)
    assert features.shape == (2, 8, 12)
    assert (features[:, :3] == 0).all()
    triangle = features[1, 3 + 4]
    corners, material = batch.triangles[1, 4], batch.material[1, 4]
    assert torch.allclose(triangle[:3], (corners[0] + corners[1] + corners[2]) / 3)
    assert torch.allclose(triangle[3:6].norm(), torch.tensor(1.0))
    assert torch.allclose(torch.linalg.cross(triangle[3:6], batch.vn[1, 4].sum(0)), torch.zeros(3), atol=1e-6)
    assert torch.allclose(triangle[6:9], (material[:3] + material[3:6]) / 2)
    emission = batch.material[0, 0, 10:]
    assert emission.sum() > 0
    assert torch.allclose(features[0, 3, 9:], torch.log10(1 + emission))
