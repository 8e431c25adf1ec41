"""Pictures of a changed scene by a network: the first stage runs once per scene, a view costs the second stage only.

Light is additive. While the radiance of a light changes, the picture is the sum of one picture per light, each times
the light's radiance: no stage runs. For a network whose light is relative and whose channels are apart, the picture of
one light is exactly linear in its radiance, so for a scene with one light this is the final picture. With several
lights the network's picture of all of them together differs from the sum by the network's error, so the first stage
runs again once the change has ended: the final picture is always what `rf render` gives for the changed scene.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.hooks import RemovableHandle

from rfcli.model import SceneBatch
from rfcli.model.rendering import SUBPIXEL_SAMPLES, encode_scene, render_encoded
from rfcli.model.view_dependent import SceneEncoding
from rfcli.pictures.renderers import NetworkRenderer
from rfcli.scene import TriangleScene
from rfcli.viewer.cameras import WindowCamera
from rfcli.viewer.edits import EditableScene, SceneEdits, Triple, one_light

Linear = npt.NDArray[np.float32]

MAX_LIGHTS = 8  # of a scene whose lights have a picture each; with more, a change of radiance runs the first stage
WHITE: Triple = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Checks:
    """What is called between the layers of a network; raising `rfcli.viewer.render_loop.Interrupted` ends the picture.

    Attributes:
        stage: Before each layer of the first stage, with its number from 0, the number of layers, and the seconds so
            far.
        view: Before each module of the second stage.
    """

    stage: Callable[[int, int, float], None] = lambda number, layers, seconds: None
    view: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Picture:
    """A square image, linear, and how it was made.

    Attributes:
        image: [S, S, 3] linear radiance.
        stage_seconds: Of the first stage of this scene, whenever it ran; None if the image is a sum.
        view_seconds: Of the second stage; 0 for a sum of pictures that were there.
        summed: Number of pictures of single lights that were added; 0 if the network computed all lights together.
    """

    image: Linear
    stage_seconds: float | None
    view_seconds: float
    summed: int = 0


@dataclass
class _Encoded:
    encoding: SceneEncoding
    seconds: float


class NetworkPictures:
    """Pictures of one editable scene by one network. Not thread-safe: only the thread that renders calls it.

    Args:
        renderer: The network.
        original: The scene before all changes.
        checks: Called before each layer; they may give up the picture with `Interrupted`.
    """

    def __init__(self, renderer: NetworkRenderer, original: EditableScene, checks: "Checks | None" = None) -> None:
        self.renderer, self.original = renderer, original
        config = renderer.model.config
        self.linear = config.light == "relative" and config.channels == "apart"
        self._checks = checks or Checks()
        self._joint: tuple[SceneEdits, _Encoded] | None = None
        self._single: tuple[SceneEdits, dict[int, _Encoded]] = (SceneEdits(), {})
        self._single_view: tuple[SceneEdits, WindowCamera] | None = None
        self._single_images: dict[tuple[int, int, int], Linear] = {}

    @property
    def title(self) -> str:
        return self.renderer.title

    @property
    def sums_are_exact(self) -> bool:
        """Whether the sum of one picture per light is the network's picture of the scene."""
        return self.linear and len(self.original.lights) == 1

    def has_stage(self, edits: SceneEdits) -> bool:
        """Whether the final picture of a changed scene needs no first stage."""
        if self.sums_are_exact:
            return self._single[0] == edits.without_radiance() and 0 in self._single[1]
        return self._joint is not None and self._joint[0] == edits

    def prepare(self, edits: SceneEdits) -> float:
        """Run the first stage of a changed scene unless it is there; returns its seconds."""
        if self.sums_are_exact:
            return self._light(edits, 0).seconds
        if self._joint is None or self._joint[0] != edits:
            self._joint = None  # frees its memory first
            self._joint = edits, self._encode(edits.apply(self.original))
        return self._joint[1].seconds

    def draw(
        self, edits: SceneEdits, camera: WindowCamera, resolution: int, final: bool, samples: int = SUBPIXEL_SAMPLES
    ) -> Picture:
        """The picture of a changed scene.

        Args:
            edits: The changes.
            camera: The window's camera.
            resolution: Side of the square image in pixels, a multiple of the patch size.
            final: False: a sum of one picture per light may replace the network's picture of all lights together, if
                only radiances have changed.
            samples: Rays along a side of a pixel.

        Returns:
            The picture.

        Raises:
            Interrupted: The callback returned True.
            InputError: Memory does not suffice, or the resolution is not possible.
        """
        if self.sums_are_exact or (not (final or self.has_stage(edits)) and self._can_sum(edits)):
            return self._sum(edits, camera, resolution, samples)
        seconds = self.prepare(edits)
        assert self._joint is not None
        image, view_seconds = self._render(self._joint[1].encoding, camera, resolution, samples)
        return Picture(image, seconds, view_seconds)

    def has_single_images(self, edits: SceneEdits, camera: WindowCamera, resolution: int) -> bool:
        """Whether a sum at this resolution needs no network: the image of each light is there."""
        if self._single_view != (edits.without_radiance(), camera):
            return False
        lit = [number for number in range(len(self.original.lights)) if any(edits.radiance_of(self.original, number))]
        return all((number, resolution, SUBPIXEL_SAMPLES) in self._single_images for number in lit)

    def _can_sum(self, edits: SceneEdits) -> bool:
        return bool(edits.radiance) and 1 <= len(self.original.lights) <= MAX_LIGHTS

    def _sum(self, edits: SceneEdits, camera: WindowCamera, resolution: int, samples: int) -> Picture:
        image = np.zeros((resolution, resolution, 3), dtype=np.float32)
        spent = 0.0
        for number in range(len(self.original.lights)):
            radiance = edits.radiance_of(self.original, number)
            if any(radiance):
                single, seconds = self._single_image(edits, number, camera, resolution, samples)
                spent += seconds
                image += single * np.array(radiance, dtype=np.float32)
        stage = self._light(edits, 0).seconds if self.sums_are_exact else None
        return Picture(image, stage, spent, 0 if self.sums_are_exact else len(self.original.lights))

    def _single_image(
        self, edits: SceneEdits, number: int, camera: WindowCamera, resolution: int, samples: int
    ) -> tuple[Linear, float]:
        """The image of one light of radiance 1, and the seconds it took now; those of the last camera are kept."""
        view = edits.without_radiance(), camera
        if self._single_view != view:
            self._single_view, self._single_images = view, {}
        key = number, resolution, samples
        if key in self._single_images:
            return self._single_images[key], 0.0
        image, seconds = self._render(self._light(edits, number).encoding, camera, resolution, samples)
        self._single_images[key] = image
        return image, seconds

    def _light(self, edits: SceneEdits, number: int) -> _Encoded:
        """The first stage of the scene with one white light."""
        structure = edits.without_radiance()
        if self._single[0] != structure:
            self._single = structure, {}
        stages = self._single[1]
        if number not in stages:
            scene = one_light(structure.apply(self.original), self.original.lights, number, WHITE)
            stages[number] = self._encode(scene)
        return stages[number]

    def _encode(self, scene: TriangleScene) -> _Encoded:
        layers = list(self.renderer.model.transformer.layers)
        start = time.perf_counter()

        def before(number: int) -> None:
            self._checks.stage(number, len(layers), time.perf_counter() - start)

        hooks = [
            layer.register_forward_pre_hook(lambda *_, number=number: before(number))
            for number, layer in enumerate(layers)
        ]
        with _removed_after(hooks):
            return _Encoded(*encode_scene(self.renderer.model, SceneBatch.from_scenes(scene), self.renderer.precision))

    def _render(
        self, encoding: SceneEncoding, camera: WindowCamera, resolution: int, samples: int
    ) -> tuple[Linear, float]:
        c2w, fov = torch.from_numpy(camera.matrix)[None, None], torch.tensor([[camera.square_fov]])
        stage = self.renderer.model.view_transformer
        with _removed_after(
            [part.register_forward_pre_hook(lambda *_: self._checks.view()) for part in stage.modules()]
        ):
            image, seconds = render_encoded(self.renderer.model, encoding, c2w, fov, resolution, samples)
        return image[0, 0, ..., :3].clamp_min(0).cpu().numpy(), seconds


@contextmanager
def _removed_after(hooks: Sequence[RemovableHandle]) -> Iterator[None]:
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
