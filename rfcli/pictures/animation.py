"""Videos: frames are rendered and kept on disk, so that a stopped run resumes, and then encoded."""

import glob
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import imageio.v3 as imageio

import rfcli
from rfcli.errors import InputError
from rfcli.pictures.images import Display, write_png
from rfcli.pictures.inputs import SceneInput, with_cameras
from rfcli.pictures.motion import CameraPath, Motion, visible_arc
from rfcli.pictures.renderers import RenderSettings
from rfcli.pictures.video import write_gif, write_mp4
from rfcli.runtime.files import replacing
from rfcli.scene import TriangleScene

FRAMES_RECORD = "frames.json"


@dataclass(frozen=True)
class Frames:
    """A folder with frame-0000.png, ... and a record of everything they depend on; each file is complete or absent."""

    folder: Path
    count: int

    def path(self, frame: int) -> Path:
        return self.folder / f"frame-{frame:04d}.png"

    def open(self, record: dict[str, object]) -> list[int]:
        """Numbers of the missing frames; frames with another record are deleted first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for unfinished in self.folder.glob(".frame-*.png"):  # of a run that was killed
            unfinished.unlink()
        file = self.folder / FRAMES_RECORD
        text = json.dumps(record, indent=1, sort_keys=True)
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            for outdated in self.folder.glob("frame-*.png"):
                outdated.unlink()
            with replacing(file) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return [frame for frame in range(self.count) if not self.path(frame).is_file()]

    def write(self, frame: int, picture: Display) -> None:
        write_png(self.path(frame), picture)

    def read(self, frame: int) -> Display:
        """Raises InputError if the file is missing or broken."""
        try:
            picture: Display = imageio.imread(self.path(frame), plugin="pillow")
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path(frame)}: the frame is broken; remove it and run again.") from error
        return picture


@dataclass
class Animation:
    """The video of one camera: call `open`, then exhaust `render_missing`, then `write`.

    Attributes:
        settings: Renderer, resolution, display settings and folder.
        item: The scene.
        view: Number of the camera at which the video starts; unused along a path of cameras.
        motion: Motion of camera and light, or a path along all cameras of the scene.
        missing: Frames that `open` did not find.
        seconds: Time by stage and in `total` of the frames rendered by this run.
    """

    settings: RenderSettings
    item: SceneInput
    view: int
    motion: Motion | CameraPath
    missing: list[int] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def stem(self) -> Path:
        """Path of its files without suffix."""
        name = dict(zip(self.item.views, self.item.names, strict=True))[self.view]
        return self.settings.folder / f"{name}-{self.motion.name}"

    @property
    def scene(self) -> TriangleScene:
        if isinstance(self.motion, CameraPath):
            return self.item.scene
        return with_cameras(self.item.scene, [self.view])

    @property
    def path(self) -> Motion | CameraPath:
        """The motion with its arc: if none was given, as far as no wall hides the scene."""
        if isinstance(self.motion, CameraPath) or self.motion.arc:
            return self.motion
        return replace(self.motion, arc=visible_arc(self.scene))

    @property
    def frames(self) -> Frames:
        return Frames(self.stem.with_name(f"{self.stem.name}-frames"), self.motion.frames)

    def open(self) -> None:
        """Find the frames of an earlier run, and delete its unfinished files."""
        for suffix in ("mp4", "gif"):
            for unfinished in self.stem.parent.glob(f".{glob.escape(self.stem.name)}.*.{suffix}"):
                unfinished.unlink()
        self.missing = self.frames.open(self._record())

    def render_missing(self) -> Iterator[int]:
        """Render and write the missing frames; yields the number of each."""
        for numbers, scene in self.path.scenes(self.scene, self.missing) if self.missing else ():
            rendered = self.settings.renderer.render(scene, self.settings.resolution)
            stage_counted = False
            for number, view in zip(numbers, rendered, strict=True):
                self.frames.write(number, self.settings.display.convert(view.image))
                self._count(view.seconds, stage_counted)
                stage_counted = True
                yield number

    def write(self, fps: float) -> list[Path]:
        """Encode all frames as STEM.mp4 and STEM.gif; returns their paths."""
        mp4, gif = self.stem.with_name(f"{self.stem.name}.mp4"), self.stem.with_name(f"{self.stem.name}.gif")
        write_mp4(mp4, map(self.frames.read, range(self.frames.count)), fps)
        write_gif(gif, map(self.frames.read, range(self.frames.count)), fps)
        return [mp4, gif]

    def receipt(self) -> dict[str, object]:
        """Its entry in the receipt."""
        return {
            "scene": self.item.path,
            "view": self.view,
            "triangles": len(self.item.scene),
            "resolution": self.settings.resolution,
            "arc": getattr(self.path, "arc", None),
            "frames": self.frames.count,
            "drawn": len(self.missing),
            "seconds": self.seconds,
        }

    def _count(self, seconds: dict[str, float], stage_counted: bool) -> None:
        """Add the seconds of a frame; the view-independent stage, which frames share, is added only once."""
        added = {name: value for name, value in seconds.items() if name != "total"}
        if stage_counted:
            added.pop("view_independent", None)
        added["total"] = sum(added.values()) if added else seconds["total"]
        for name, value in added.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value

    def _record(self) -> dict[str, object]:
        """Everything the frames depend on."""
        return {
            "rf": rfcli.__version__,
            "scene": scene_checksum(self.scene),
            "renderer": self.settings.renderer.identity(),
            "resolution": self.settings.resolution,
            "motion": vars(self.path),
            "look": vars(self.settings.display),
        }


def scene_checksum(scene: TriangleScene) -> int:
    """CRC-32 of all arrays of the scene."""
    checksum = 0
    for array in vars(scene).values():
        checksum = zlib.crc32(array.tobytes(), checksum)
    return checksum
