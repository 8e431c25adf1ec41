"""Batches of scenes: each scene alone, in a batch, in any order, with and without lights, volumes, environment."""

import dataclasses

import pytest
import torch

from rfcli.errors import InputError
from rfcli.model import SceneBatch, convert, read_checkpoint, save_checkpoint
from rfcli.model.v2 import V2Batch, network_output
from rfcli.model.v2.sequence import scene_orders
from tests.support.v2_scenes import SMALL_V2, random_v2_model, random_v2_scene, stacked

# triangles, emitters, volume tokens: none, one and several blocks of 8; only emitters; nothing to sort
MIXES = [
    [(30, 2, 0), (64, 0, 0), (7, 7, 0), (1, 1, 0)],
    [(30, 2, 5), (3, 1, 40), (41, 3, 1)],
    [(100, 1, 0)] * 2,
]


@torch.no_grad()
@pytest.mark.parametrize("environment", [False, True])
@pytest.mark.parametrize("mix", MIXES, ids=["triangles", "volumes", "equal"])
def test_scenes_of_a_batch_equal_the_scenes_alone(mix: list[tuple[int, int, int]], environment: bool) -> None:
    model = random_v2_model()
    scenes = [random_v2_scene(*sizes, environment=environment, seed=seed) for seed, sizes in enumerate(mix)]
    together = network_output(model, stacked(scenes), 64)
    alone = torch.cat([network_output(model, scene, 64) for scene in scenes])
    assert together.shape == (len(mix), 1, 3, 64, 64)
    assert (together - alone).abs().max() < 1e-5 * alone.abs().max()


@torch.no_grad()
def test_order_of_triangles_that_do_not_emit_has_no_effect() -> None:
    model, scene = random_v2_model(), random_v2_scene(75, emitters=3)
    order = torch.randperm(75, generator=torch.Generator().manual_seed(5))
    permuted = dict(scene)
    for name in ("triangles", "vn", "texture", "light_strength", "mask"):
        permuted[name] = scene[name][:, order]
    difference = network_output(model, permuted, 64) - network_output(model, scene, 64)
    assert difference.abs().max() < 1e-5


@torch.no_grad()
def test_exchanging_both_kinds_of_environment_latents_has_no_effect() -> None:
    model, scene = random_v2_model(), random_v2_scene(20)
    exchanged = scene | {"env_latent_ldr": scene["env_latent_hdr"], "env_latent_hdr": scene["env_latent_ldr"]}
    assert (network_output(model, exchanged, 64) - network_output(model, scene, 64)).abs().max() < 1e-5


@torch.no_grad()
def test_inputs_in_half_precision_equal_their_values_in_float32() -> None:
    model, scene = random_v2_model(), random_v2_scene(20, volumes=3)
    half = {name: value.half() if value.is_floating_point() else value for name, value in scene.items()}
    rounded = {name: value.float() if value.is_floating_point() else value for name, value in half.items()}
    assert torch.equal(network_output(model, half, 64), network_output(model, rounded, 64))


@torch.no_grad()
def test_masked_volumes_equal_none() -> None:
    model, scene = random_v2_model(), random_v2_scene(20, volumes=9)
    scene["volume_mask"] = torch.zeros_like(scene["volume_mask"])
    without = {name: value for name, value in scene.items() if not name.startswith("volume")}
    assert torch.equal(network_output(model, scene, 64), network_output(model, without, 64))


@torch.no_grad()
@pytest.mark.parametrize("attention", ["sdpa", "nearfar"])
def test_wide_window_equals_other_exact_attention(attention: str) -> None:
    scene = stacked([random_v2_scene(90, volumes=4), random_v2_scene(40, volumes=20, seed=1)])
    wide = random_v2_model(local_attention_window_size_half=2000)
    found = network_output(convert(wide, attention), scene, 64)  # type: ignore[arg-type]
    assert (found - network_output(wide, scene, 64)).abs().max() < 1e-5
    assert (found - network_output(random_v2_model(), scene, 64)).abs().max() > 1e-3  # the narrow window differs


@torch.no_grad()
@pytest.mark.parametrize("constant", [False, True])
def test_constant_texture_equals_one_texel(constant: bool) -> None:
    model, scene = random_v2_model(), random_v2_scene(12)
    texel = scene["texture"][..., :1, :1]
    filled = texel.expand(-1, -1, -1, 4, 4) if constant else scene["texture"]
    difference = network_output(model, scene | {"texture": texel}, 64)
    difference = difference - network_output(model, scene | {"texture": filled}, 64)
    assert (difference.abs().max() < 1e-5) == constant


@torch.no_grad()
@pytest.mark.parametrize("side", [1, 2, 8, 32])
def test_resized_texture_keeps_its_mean_and_its_gradient(side: int) -> None:
    from rfcli.model.v2.tokens import resized

    ramp = ((torch.arange(side) + 0.5) / side).expand(side, side)
    found = resized(ramp[None, None, None], 4)[0, 0, 0]
    assert found.mean() == pytest.approx(0.5)
    if side > 2:  # averages of areas of a ramp are the ramp
        assert torch.allclose(found, ((torch.arange(4) + 0.5) / 4).expand(4, 4))


@torch.no_grad()
def test_materials_are_read_as_values() -> None:
    model = random_v2_model(surface="values", texture_channels=10)
    scene = random_v2_scene(20, environment=False)
    material = torch.rand(1, 20, 13)
    material[:, 5:, 10:] = 0
    batch = SceneBatch(scene["triangles"], scene["vn"], scene["mask"], material=material)
    tensors = scene | {
        "texture": material[..., :10, None, None].expand(-1, -1, -1, 4, 4),
        "light_strength": torch.log10(1 + material[..., 10:]),
    }
    images = model(batch, scene["c2w"], scene["fov"], 64)
    assert (images - network_output(model, tensors, 64).permute(0, 1, 3, 4, 2)).abs().max() < 1e-5
    with pytest.raises(InputError, match="reads textures as latents"):
        random_v2_model()(batch, scene["c2w"], scene["fov"], 64)


def test_gradients_reach_every_parameter() -> None:
    model = random_v2_model()
    network_output(
        model, stacked([random_v2_scene(60, volumes=9), random_v2_scene(20, volumes=2)]), 64
    ).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and bool((p.grad != 0).any()) for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("light_strength", torch.zeros(1, 3, 3), "`light_strength` must have shape"),
        ("env_latent_hdr", None, "needs `env_latent_hdr`"),
        ("volume_density", torch.zeros(1, 4, 64), "needs `volume_rotation`"),
        ("texture", torch.zeros(1, 20, 5, 4, 4), "reads 6 channels"),
        ("c2w", None, "`c2w` is not among the inputs"),
    ],
)
def test_wrong_inputs_are_named(name: str, value: torch.Tensor | None, message: str) -> None:
    scene = random_v2_scene(20)
    if value is None:
        del scene[name]
    else:
        scene[name] = value
    with pytest.raises(InputError, match=message):
        network_output(random_v2_model(), scene, 64)


@pytest.mark.parametrize(
    ("changes", "volumes", "word"),
    [({"use_env_lighting": False}, 0, "environment"), ({"use_volumes": False}, 3, "volumes")],
)
def test_inputs_without_an_encoder_are_refused(changes: dict[str, bool], volumes: int, word: str) -> None:
    with pytest.raises(InputError, match=f"no encoder of {word}"):
        network_output(random_v2_model(**changes), random_v2_scene(20, volumes=volumes), 64)


def test_summaries_are_means_of_whole_blocks_of_the_order() -> None:
    batch = V2Batch.from_tensors(random_v2_scene(30, emitters=3, volumes=6))
    (order,) = scene_orders(batch, 8)
    assert order.summaries == 4  # 33 others
    assert sorted([*order.emitters.tolist(), *order.others.tolist()]) == list(range(36))
    values = torch.rand(36, 5)
    expected = torch.stack([values[order.others[8 * i : 8 * i + 8]].mean(0) for i in range(4)])
    assert torch.allclose(order.summarised(values), expected)


def test_checkpoint_is_read_as_it_was_written(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = random_v2_model()
    save_checkpoint(model, tmp_path)
    loaded = read_checkpoint(tmp_path)
    assert type(loaded) is type(model)
    assert loaded.config == model.config == dataclasses.replace(SMALL_V2)
    state = loaded.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
