"""Videos of a run: frames drawn, kept, and put together."""

import glob
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import rfcli
from rfcli.pictures.frames import Frames
from rfcli.pictures.jobs import Job
from rfcli.pictures.look import Studio
from rfcli.pictures.motion import Motion
from rfcli.pictures.open_arc import open_arc
from rfcli.pictures.video import write_gif, write_mp4
from rfcli.scene import TriangleScene


@dataclass
class Animation:
    """One camera's video on its way: `begin`, then `draw` to its end, then `write`.

    view: the number of the camera from which it starts.
    """

    studio: Studio
    job: Job
    view: int
    motion: Motion
    missing: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def stem(self) -> Path:
        """Of its files, with their folder."""
        name = dict(zip(self.job.views, self.job.names, strict=True))[self.view]
        return self.studio.folder / f"{name}-{self.motion.name}"

    @property
    def scene(self) -> TriangleScene:
        return self.job.camera(self.view)

    @property
    def path(self) -> Motion:
        """How it moves: where the arc was left open, as far round as no wall hides the scene."""
        return self.motion if self.motion.arc else replace(self.motion, arc=open_arc(self.scene))

    @property
    def frames(self) -> Frames:
        return Frames(self.stem.with_name(f"{self.stem.name}-frames"), self.motion.frames)

    def begin(self) -> None:
        """Look which frames are there already and fit: the others are `missing`. Clears away what a killed run left."""
        for suffix in ("mp4", "gif"):
            for unfinished in self.stem.parent.glob(f".{glob.escape(self.stem.name)}.*.{suffix}"):
                unfinished.unlink()
        self.missing = self.frames.begin(self._about())

    def draw(self) -> Iterator[int]:
        """Draw and keep the missing frames; yields the number of each."""
        for numbers, scene in self.path.scenes(self.scene, self.missing) if self.missing else ():
            stage_counted = False
            for number, drawn in zip(numbers, self.studio.renderer.draw(scene, self.studio.resolution), strict=True):
                self.frames.write(number, self.studio.look.develop(drawn.image))
                self._count(drawn.seconds, stage_counted)
                stage_counted = True
                yield number

    def write(self, fps: float) -> list[Path]:
        """STEM.mp4 and STEM.gif of all frames; their paths."""
        mp4, gif = self.stem.with_name(f"{self.stem.name}.mp4"), self.stem.with_name(f"{self.stem.name}.gif")
        write_mp4(mp4, map(self.frames.read, range(self.frames.count)), fps)
        write_gif(gif, map(self.frames.read, range(self.frames.count)), fps)
        return [mp4, gif]

    def facts(self) -> dict[str, object]:
        """For the receipt: seconds are those of the frames that this run has drawn."""
        return {
            "scene": self.job.path,
            "view": self.view,
            "triangles": len(self.job.whole),
            "resolution": self.studio.resolution,
            "arc": self.path.arc,
            "frames": self.frames.count,
            "drawn": len(self.missing),
            "seconds": self.seconds,
        }

    def _count(self, seconds: dict[str, float], stage_counted: bool) -> None:
        """Add a frame's seconds; the view-independent stage, which frames share, only once."""
        added = {name: value for name, value in seconds.items() if name != "total"}
        if stage_counted:
            added.pop("view_independent", None)
        added["total"] = sum(added.values()) if added else seconds["total"]
        for name, value in added.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value

    def _about(self) -> dict[str, object]:
        """All that the frames depend on."""
        return {
            "rf": rfcli.__version__,
            "scene": fingerprint(self.scene),
            "renderer": self.studio.renderer.identity(),
            "resolution": self.studio.resolution,
            "motion": vars(self.path),
            "look": vars(self.studio.look),
        }


def fingerprint(scene: TriangleScene) -> int:
    """A number that changes with the scene."""
    check = 0
    for array in vars(scene).values():
        check = zlib.crc32(array.tobytes(), check)
    return check
