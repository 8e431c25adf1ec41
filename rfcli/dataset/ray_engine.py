"""Generation of scenes on the nodes of a Ray cluster, written by this process in order of the scenes' numbers."""

from collections import deque
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rfcli.dataset.local_engine import MAX_AHEAD, Source, write_scene
from rfcli.dataset.manifest import Entry
from rfcli.errors import InputError
from rfcli.runtime.files import replacing
from rfcli.runtime.signals import deferred_interrupt

MAX_RETRIES = 20  # of one scene whose nodes are lost, before the scene is assumed to be the cause
POLL_SECONDS = 0.5  # between checks for Ctrl-C and for new nodes


def generate_on_ray(
    folder: Path, indices: list[int], source: Source, seed: int, workers: int
) -> Generator[Entry, None, None]:
    """Engine that uses a Ray cluster: the connected one, else the one at RAY_ADDRESS or on this machine.

    Nodes need this package, and the folder of the user's own meshes if there is one. They return a scene's file as
    bytes. If a node is lost, its scenes are generated again on another. `workers`: number of scenes made at the
    same time; 0 for the number of cores of the cluster, which may change.

    On Ctrl-C the finished scenes are yielded, then KeyboardInterrupt is raised. Raises InputError if Ray is not
    installed, if there is no cluster, or if nodes are lost repeatedly.
    """
    ray = connected_ray()
    remote = ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(_scene_bytes)
    shared, remaining, submitted, stopped = ray.put(source), deque(indices), deque[Any](), False
    try:
        with deferred_interrupt() as interrupted:
            while remaining or submitted:
                parallel = workers or int(ray.cluster_resources().get("CPU", 1))
                pending = ray.wait(list(submitted), num_returns=len(submitted), timeout=0)[1] if submitted else []
                room = min(parallel + 1 - len(pending), MAX_AHEAD * parallel - len(submitted))
                for _ in range(min(room, len(remaining))):
                    submitted.append(remote.remote(remaining.popleft(), shared, seed))
                while submitted and ray.wait([submitted[0]], timeout=0)[0]:
                    entry, content = ray.get(submitted.popleft())
                    with replacing(folder / entry.file) as temporary:
                        temporary.write_bytes(content)
                    yield entry
                if interrupted():
                    stopped = True
                    break
                if submitted:
                    ray.wait(list(submitted), timeout=POLL_SECONDS)
    except ray.exceptions.RayTaskError as error:  # wraps the exception of the task
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise InputError(
            f"The Ray cluster lost the same scene repeatedly ({type(error).__name__}); check the memory of its nodes "
            "and run the command again. It continues after the finished scenes."
        ) from error
    finally:
        for reference in submitted:
            ray.cancel(reference, force=True)
    if stopped:
        raise KeyboardInterrupt


def connected_ray() -> Any:
    """The module `ray`, connected to a cluster. Raises InputError if that fails."""
    try:
        import ray
    except ImportError:
        raise InputError("`engine` ray needs Ray; pip install 'rfcli[cluster]'.") from None
    if not ray.is_initialized():
        try:
            ray.init(address="auto", log_to_driver=False, configure_logging=False)
        except ConnectionError:
            raise InputError(
                "`engine` ray finds no Ray cluster; start one with ray start --head, or set RAY_ADDRESS."
            ) from None
    return ray


def _scene_bytes(index: int, source: Source, seed: int) -> tuple[Entry, bytes]:
    """Makes scene `index`; returns its entry and the bytes of its file."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "scenes").mkdir()
        entry = write_scene(Path(folder), index, source, seed)
        return entry, (Path(folder) / entry.file).read_bytes()
