"""Materials and textures as means over triangles, against closed forms and exact sums over texels."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rfcli.errors import InputError
from rfcli.scene.formats.appearance import Appearance, Materials
from rfcli.scene.formats.contents import Floats, Material, Part, Texture, Wrap
from rfcli.scene.formats.detail import cut, painted
from rfcli.scene.formats.surface import UV, Surface, surface_of
from rfcli.scene.formats.textures import Pyramid, srgb_to_linear
from rfcli.scene.geometry import triangle_areas
from rfcli.scene.triangle_scene import DIFFUSE, EMISSION, ROUGHNESS, SPECULAR
from tests.support.glb_files import QUAD, QUAD_FACES, QUAD_UV, checkerboard

MATTE = Material(specular=(0.0, 0.0, 0.0))  # its diffuse colour is its base colour


def image(pixels: Any, **fields: Any) -> Texture:
    array = np.asarray(pixels, dtype=np.uint8)
    if array.shape[-1] == 3:
        array = np.concatenate([array, np.full((*array.shape[:2], 1), 255, np.uint8)], axis=-1)
    return Texture(array, **fields)


def quad(material: Material | None, uv: Any = QUAD_UV, **fields: Any) -> Part:
    faces = QUAD_FACES.astype(np.int64).reshape(-1, 3)
    return Part("quad", QUAD.astype(float), faces, uv=np.asarray(uv, float), material=material, **fields)


def look(*parts: Part) -> Appearance:
    surface = surface_of(parts)
    return Materials(surface.parts).appearance(surface)


def test_metallic_roughness_becomes_diffuse_and_ggx() -> None:
    """Rows by the formula in the module, written out once more for one material."""
    material = Material(
        base_colour=(0.8, 0.5, 0.2), metallic=0.25, roughness=0.3, specular=(0.04, 0.06, 0.08), emission=(1, 2, 3)
    )
    row = look(quad(material)).material[0]
    np.testing.assert_allclose(row[DIFFUSE], 0.75 * (1 - 0.08) * np.array([0.8, 0.5, 0.2]))
    expected = 0.75 * np.array([0.04, 0.06, 0.08]) + 0.25 * np.array([0.8, 0.5, 0.2])
    np.testing.assert_allclose(row[SPECULAR], expected)
    assert row[ROUGHNESS] == pytest.approx(0.3)
    np.testing.assert_allclose(row[EMISSION], (1, 2, 3))


@pytest.mark.parametrize("seed", range(20))
def test_no_material_reflects_more_than_arrives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base, reflectance = rng.random(3), rng.random(3)
    material = Material(base_colour=tuple(base), specular=tuple(reflectance), metallic=rng.random())  # type: ignore[arg-type]
    row = look(quad(material)).material[0]
    assert (row[DIFFUSE] + row[SPECULAR]).max() <= 1 + 1e-12


def test_colours_are_averaged_as_light_not_as_bytes() -> None:
    """Half black, half white in sRGB is linear 0.5; an sRGB grey of 128 is 0.2159."""
    board = replace(MATTE, base_texture=image(checkerboard(8)))
    np.testing.assert_allclose(look(quad(board)).material[:, DIFFUSE], 0.5, atol=1e-6)
    grey = replace(MATTE, base_colour=(0.5, 1, 1), base_texture=image(np.full((3, 5, 3), 128)))
    np.testing.assert_allclose(look(quad(grey)).material[:, DIFFUSE], [(0.10793, 0.21586, 0.21586)] * 2, atol=1e-5)


@pytest.mark.parametrize("size", [(4, 4), (7, 13), (64, 64), (150, 90), (512, 512)])
def test_mean_of_a_quad_is_the_mean_of_its_image(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3))
    both = look(quad(replace(MATTE, base_texture=image(pixels)))).material[:, DIFFUSE].mean(axis=0)
    np.testing.assert_allclose(both, srgb_to_linear(pixels / 255).mean(axis=(0, 1)), atol=0.015)


@pytest.mark.parametrize(("wrap", "column"), [("repeat", lambda x: x % 4), ("clamp", lambda x: min(max(x, 0), 3))])
def test_wrap_modes(wrap: Wrap, column: Callable[[int], int]) -> None:
    """A quad over one texel of a row of four: the texel that the wrap mode says."""
    pixels = np.array([[(value, value, value) for value in (10, 80, 160, 250)]])
    texture = image(pixels, wrap=(wrap, wrap))
    for place in range(-6, 10):
        uv = np.array([(0, 1), (1, 1), (1, 0), (0, 0)]) * (0.25, 1) + (place / 4, 0)
        row = look(quad(replace(MATTE, base_texture=texture), uv)).material[0]
        assert row[0] == pytest.approx(srgb_to_linear(pixels[0, column(place), 0] / 255), abs=1e-6)


def test_mirrored_repeat_and_texture_transform() -> None:
    pixels = np.array([[(value, value, value) for value in (10, 80, 160, 250)]])
    expected = [10, 80, 160, 250, 250, 160, 80, 10, 10, 80]
    for place, value in enumerate(expected):
        transform = np.array([(0.25, 0, place / 4), (0, 1, 0)])
        texture = image(pixels, wrap=("mirror", "mirror"), transform=transform)
        row = look(quad(replace(MATTE, base_texture=texture))).material[0]
        assert row[0] == pytest.approx(srgb_to_linear(np.array(value / 255)), abs=1e-6)


def test_second_set_of_texture_coordinates() -> None:
    texture = image([[(0, 0, 0), (255, 255, 255)]], uv_set=1)
    part = quad(replace(MATTE, base_texture=texture), uv1=QUAD_UV * (0.5, 1) + (0.5, 0))
    np.testing.assert_allclose(look(part).material[:, DIFFUSE], 1.0)


def test_metallic_and_emission_textures() -> None:
    """The mean of the material, not the material of the mean: half metal, half not."""
    metal = image([[(0, 51, 255), (0, 255, 0)]])
    glow = image([[(255, 255, 255), (0, 0, 0)]])
    material = Material(
        base_colour=(0.5, 0.5, 0.5), metallic=1.0, metallic_texture=metal, emission=(8, 4, 2), emission_texture=glow
    )
    row = look(quad(material)).material.mean(axis=0)
    np.testing.assert_allclose(row[DIFFUSE], 0.5 * 0.96 / 2, atol=0.01)
    np.testing.assert_allclose(row[SPECULAR], (0.5 + 0.04) / 2, atol=0.01)
    assert row[ROUGHNESS] == pytest.approx((0.2 + 1) / 2, abs=0.02)
    np.testing.assert_allclose(row[EMISSION], (4, 2, 1), atol=0.1)


def test_vertex_and_face_colours_multiply() -> None:
    colours = np.array([(1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (1, 1, 1, 1)], float)
    rows = look(quad(MATTE, colours=colours)).material
    np.testing.assert_allclose(rows[:, DIFFUSE], [(1 / 3, 1 / 3, 1 / 3), (2 / 3, 1 / 3, 2 / 3)], atol=1e-9)
    faces = np.array([(0.2, 0.4, 0.6, 1), (0.6, 0.4, 0.2, 1)])
    np.testing.assert_allclose(look(quad(MATTE, face_colours=faces)).material[:, DIFFUSE], faces[:, :3])


def test_alpha_cuts_out_by_share_of_coverage() -> None:
    """A quarter of the image is empty and green: it counts for coverage, not for the colour."""
    pixels = np.full((8, 8, 4), (255, 0, 0, 255), np.uint8)
    pixels[:4, :4] = (0, 255, 0, 100)
    material = replace(MATTE, base_texture=image(pixels), alpha_mode="mask", alpha_cutoff=0.5)
    found = look(quad(material))
    assert found.coverage.mean() == pytest.approx(0.75, abs=1e-6)
    np.testing.assert_allclose(found.material[:, DIFFUSE], [(1, 0, 0)] * 2, atol=1e-6)
    assert look(quad(replace(material, alpha_cutoff=0.3))).coverage.tolist() == [1, 1]
    assert look(quad(replace(material, alpha_mode="opaque"))).coverage.tolist() == [1, 1]


def test_cut_outs_leave_the_area_that_is_there() -> None:
    pixels = np.full((8, 8, 4), 255, np.uint8)
    pixels[2:6, 2:6, 3] = 0
    part = quad(replace(MATTE, base_texture=image(pixels), alpha_mode="mask"))
    notes: list[str] = []
    surface, _ = painted(surface_of([part]), 2000, notes)
    assert triangle_areas(surface.triangles).sum() == pytest.approx(4 * 0.75, rel=1e-6)
    assert "transparent" in notes[0]
    with pytest.raises(InputError, match="transparent"):
        painted(surface_of([quad(replace(MATTE, opacity=0.2, alpha_mode="blend"))]), None, [])


def test_a_checkerboard_on_two_triangles_becomes_a_checkerboard() -> None:
    """128 triangles are enough for 8 x 8 cells, and each has the colour of its cell."""
    part = quad(replace(MATTE, base_texture=image(checkerboard(8, 4))))
    surface, found = cut(surface_of([part]), Materials([part]), 10_000)
    assert len(surface) == 128
    assert triangle_areas(surface.triangles).sum() == pytest.approx(4)
    cell = np.floor((surface.triangles.mean(axis=1)[:, :2] + 1) * 4).astype(int)
    white = (cell[:, 0] + (7 - cell[:, 1])) % 2 == 1
    np.testing.assert_allclose(found.material[:, 0], white.astype(float), atol=1e-6)


def test_the_budget_is_spent_where_the_error_is_largest() -> None:
    """A fine pattern in one corner of a plain quad: triangles gather there, and the error falls with the budget."""
    pixels = np.full((64, 64, 3), 128, np.uint8)
    pixels[:16, :16] = checkerboard(16)
    part = quad(replace(MATTE, base_texture=image(pixels)))
    errors = []
    for budget in (2, 50, 200, 800):
        surface, found = cut(surface_of([part]), Materials([part]), budget)
        assert len(surface) <= budget
        errors.append(float((found.deviation**2 * triangle_areas(surface.triangles)).sum()))
        if budget == 800:
            centre = surface.triangles.mean(axis=1)
            assert ((centre[:, 0] < -0.5) & (centre[:, 1] > 0.5)).mean() > 0.8
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05 * errors[0]


def test_cut_triangles_keep_texture_coordinates_and_normals() -> None:
    vertices = QUAD.astype(float)
    normals = np.array([(0, 0, 1), (0.6, 0, 0.8), (0, 0.6, 0.8), (0, 0, 1)])
    part = replace(quad(replace(MATTE, base_texture=image(checkerboard(4)))), normals=normals)
    surface, _ = cut(surface_of([part]), Materials([part]), 500)
    expected = (surface.triangles[..., :2] * (1, -1) + 1) / 2
    np.testing.assert_allclose(surface.corners[..., UV], expected, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(surface.corners[..., 3:6], axis=-1), 1, atol=1e-12)
    assert len(vertices) == 4


@pytest.mark.parametrize("size", [(5, 3), (64, 32), (101, 7)])
def test_pyramid_levels_keep_the_mean(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 4)).astype(np.uint8)
    pyramid = Pyramid(Texture(pixels), srgb=False)
    for level in pyramid._levels:
        np.testing.assert_allclose(level.mean(axis=(0, 1))[:4], pixels.mean(axis=(0, 1)) / 255, atol=1e-5)


def test_large_images_are_reduced_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfcli.scene.formats.textures.MAX_BASE_TEXELS", 1000)
    pixels = np.random.default_rng(2).integers(0, 256, (600, 40, 4)).astype(np.uint8)
    level = Pyramid(Texture(pixels), srgb=False)._levels[0]
    assert level.shape[0] * level.shape[1] <= 1000
    np.testing.assert_allclose(level.mean(axis=(0, 1))[:4], pixels.mean(axis=(0, 1)) / 255, atol=2e-3)


def test_normals_that_are_zero_or_far_from_the_triangle_are_replaced() -> None:
    faces = np.array([(0, 1, 2)])
    vertices = QUAD[:3].astype(float)

    def normals_of(normal: tuple[float, float, float]) -> Floats:
        surface: Surface = surface_of([Part("", vertices, faces, np.tile(np.array(normal, float), (3, 1)))])
        return surface.corners[0, :, 3:6]

    np.testing.assert_allclose(normals_of((0, 0, 0)), [(0, 0, 1)] * 3)
    np.testing.assert_allclose(normals_of((5, 0, 0)), [(0, 0, 1)] * 3)
    np.testing.assert_allclose(normals_of((0, 0.6, 0.8)), [(0, 0.6, 0.8)] * 3)
    np.testing.assert_allclose(normals_of((0, 0, -1)), [(0, 0, -1)] * 3)  # the triangle is turned instead
