"""The batch of each step: its scenes are read, augmented and stacked, in the process that trains or in a worker."""

import zlib
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, get_worker_info

from rfcli.dataset.augment import apply_augmentation, draw_augmentation
from rfcli.dataset.batching import epoch_batches
from rfcli.dataset.streaming import StreamedScenes
from rfcli.dataset.training_scene import TrainingScene, with_views
from rfcli.errors import InputError
from rfcli.runtime.processes import SINGLE_PROCESS, Processes
from rfcli.training.batch import StackedScenes, stack_scenes
from rfcli.training.options import TrainOptions
from rfcli.training.phases import phase_at
from rfcli.training.scenes import TrainingData, seen_by_pixels

MAX_REPLACEMENTS = 8  # scenes that are tried in place of one that cannot be read
VISIBILITY_CACHE_BYTES = 32 << 20  # per process: the views of about 1,000 scenes of 64 x 64 pixels


class Batches(Dataset[StackedScenes]):
    """The batches of a run by step. A batch depends on data, options and step only, not on the process that makes it.

    Args:
        data: The training scenes of each phase.
        options: Options of the run.
        monochrome: Whether each scene gets one colour channel only.
        samples: Rays along a side of a pixel; 0 = the triangles that rays hit are not computed.
        find_visible: Whether those triangles are found here, for scenes that lack them; else the model does it.
        processes: The processes that train together; each makes its share of a batch.
    """

    def __init__(
        self,
        data: TrainingData,
        options: TrainOptions,
        monochrome: bool,
        samples: int,
        find_visible: bool,
        processes: Processes = SINGLE_PROCESS,
    ) -> None:
        self.data, self.options, self.processes = data, options, processes
        # Scenes to overfit are not augmented.
        self.monochrome = monochrome and not options.overfit
        self.samples, self.find_visible = samples, find_visible
        # Phase and place of the scenes that each worker waits for, -1 = none; in memory that all processes share.
        self.reading = torch.full((1, 2), -1, dtype=torch.int64)
        self._epochs: dict[tuple[int, int], list[npt.NDArray[np.int64]]] = {}
        self._visibility = VisibilityCache(VISIBILITY_CACHE_BYTES)

    def chosen(self, step: int) -> tuple[int, npt.NDArray[np.int64]]:
        """The phase of a step, and the places of its scenes among those of the phase, for all processes together."""
        phase = phase_at(self.options.curriculum, step)
        together = self.options.batch * self.processes.count
        sizes = self.data.sizes(phase)
        epoch, place = divmod(step, -(-len(sizes) // together))
        if (phase, epoch) not in self._epochs:
            self._epochs = {(phase, epoch): epoch_batches(sizes, together, self.options.seed, epoch)}
        return phase, self._epochs[phase, epoch][place]

    def __getitem__(self, step: int) -> StackedScenes:
        """The share of this process in the batch of a step. Raises InputError if too many scenes cannot be read."""
        phase, chosen = self.chosen(step)
        mine, share = self.processes.share(len(chosen))
        found, faults = self._read(phase, [int(chosen[place]) for place in mine])
        if self.options.overfit:
            scenes = [self._with_visible(scene, phase, place, None) for place, scene in found]
        else:
            # Each scene has random numbers of its own, so that a process need not know the scenes of the others.
            generators = [np.random.default_rng([self.options.seed, 1, step, place]) for place in mine]
            scenes = [
                self._augmented(scene, phase, place, rng) for (place, scene), rng in zip(found, generators, strict=True)
            ]
        return stack_scenes(
            scenes, max(1, self.samples), monochrome=self.monochrome, share=share, faults=tuple(faults.items())
        )

    def describe(self, phase: int, place: int) -> str:
        """The file of a scene, for messages."""
        scenes = self.data.scenes(phase)
        return scenes.path(place) if isinstance(scenes, StreamedScenes) else f"scene {place}"

    def _read(self, phase: int, places: list[int]) -> tuple[list[tuple[int, TrainingScene]], dict[str, str]]:
        """Scenes with their places, and a sentence for each unreadable file by its path.

        The next readable scene replaces one that cannot be read, so that a batch has its full size and the same scenes
        in any number of processes.
        """
        scenes = self.data.scenes(phase)
        if not isinstance(scenes, StreamedScenes):
            return [(place, scenes[place]) for place in places], {}
        worker = get_worker_info()
        number = 0 if worker is None else worker.id
        faults: dict[str, str] = {}
        found: list[tuple[int, TrainingScene]] = []
        self.reading[number] = torch.tensor([phase, places[0]])
        for place, scene in zip(places, scenes.read(places), strict=True):
            tried, first = place, scene
            while isinstance(scene, InputError):
                faults[scenes.path(tried)] = str(scene)
                tried = (tried + 1) % len(scenes)
                if (tried - place) % len(scenes) in (0, MAX_REPLACEMENTS):
                    raise InputError(f"{MAX_REPLACEMENTS} scenes in a row cannot be read (the first: {first})")
                self.reading[number, 1] = tried
                scene = scenes.read([tried])[0]
            found.append((tried, scene))
        self.reading[number] = -1
        return found, faults

    def _augmented(self, scene: TrainingScene, phase: int, place: int, rng: np.random.Generator) -> TrainingScene:
        options = self.options
        views = rng.permutation(len(scene.c2w))[: options.views]
        lights = 0 if scene.layers is None else len(scene.layers)
        augmentation = draw_augmentation(
            rng, len(scene.triangles), options.rotations, options.translations, lights, self.monochrome
        )
        return apply_augmentation(self._with_visible(scene, phase, place, views), augmentation)

    def _with_visible(
        self, scene: TrainingScene, phase: int, place: int, views: npt.NDArray[np.int64] | None
    ) -> TrainingScene:
        """The scene with some of its views (None = all), and the triangles that they see.

        Augmentations keep these triangles (mirrors flip them with the image), so those of the original scene are found.
        """
        chosen = np.arange(len(scene.c2w)) if views is None else views
        scene = with_views(scene, chosen)
        if not (self.samples and self.find_visible) or scene.visible is not None:
            return scene
        side = scene.images.shape[-2] * self.samples
        seen = []
        for number, view in enumerate(chosen):
            key = (phase, place, int(view))
            visible = self._visibility.get(key)
            if visible is None:
                visible = seen_by_pixels(with_views(scene, np.array([number])), side)
                self._visibility.put(key, visible)
            seen.append(visible)
        return replace(scene, visible=np.concatenate(seen))


class VisibilityCache:
    """The triangles that views see, compressed, for the last used views that fit into a number of bytes.

    Of a small dataset it holds all views, and saves most of the time of a batch; of a large one it costs nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._views: OrderedDict[tuple[int, int, int], tuple[bytes, tuple[int, ...]]] = OrderedDict()

    def get(self, key: tuple[int, int, int]) -> npt.NDArray[np.int32] | None:
        """The triangles of a view; None if it is not held."""
        held = self._views.get(key)
        if held is None:
            return None
        self._views.move_to_end(key)
        return np.frombuffer(zlib.decompress(held[0]), np.int32).reshape(held[1])

    def put(self, key: tuple[int, int, int], visible: npt.NDArray[np.int32]) -> None:
        """Add a view, and drop those not used for longest."""
        packed = zlib.compress(visible.tobytes(), 1)
        self._views[key] = packed, visible.shape
        self._bytes += len(packed)
        while self._bytes > self._max_bytes and self._views:
            _, (dropped, _) = self._views.popitem(last=False)
            self._bytes -= len(dropped)
