"""Scenes made on the nodes of a Ray cluster, handed over in order and written here."""

from collections import deque
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rfcli.dataset.manifest import Entry
from rfcli.dataset.processes import AHEAD, Source, make
from rfcli.errors import InputError
from rfcli.runtime.files import replacing
from rfcli.runtime.signals import deferred_interrupt

TRIES = 20  # nodes that may be lost under one scene, before it is taken to be the scene's fault
LOOK = 0.5  # seconds between looks at Ctrl-C and at nodes that joined


def made_by_ray(folder: Path, todo: list[int], source: Source, seed: int, workers: int) -> Generator[Entry, None, None]:
    """Make the scenes in `todo` on the cluster and write them; yields their entries in that order.

    The cluster is the one that this process is connected to, else the one that runs here or that RAY_ADDRESS names.
    Nodes need this package and nothing on their disks (but the folder of --meshes): a scene's file comes back as
    bytes. What a lost node was making, or had made and not handed over, is made again by another. workers: scenes made
    at a time, 0 for as many as the cluster has cores, now and later.
    On Ctrl-C the scenes that are finished are yielded, then KeyboardInterrupt is raised.
    Raises InputError where Ray is not installed, there is no cluster, or nodes are lost again and again.
    """
    ray = connected()
    remote = ray.remote(num_cpus=1, max_retries=TRIES)(make_bytes)
    shared, remaining, ahead, stopped = ray.put(source), deque(todo), deque[Any](), False
    try:
        with deferred_interrupt() as interrupted:
            while remaining or ahead:
                at_a_time = workers or int(ray.cluster_resources().get("CPU", 1))
                waiting = ray.wait(list(ahead), num_returns=len(ahead), timeout=0)[1] if ahead else []
                for _ in range(min(at_a_time + 1 - len(waiting), AHEAD * at_a_time - len(ahead), len(remaining))):
                    ahead.append(remote.remote(remaining.popleft(), shared, seed))
                while ahead and ray.wait([ahead[0]], timeout=0)[0]:
                    entry, content = ray.get(ahead.popleft())
                    with replacing(folder / entry.file) as beside:
                        beside.write_bytes(content)
                    yield entry
                if interrupted():
                    stopped = True
                    break
                if ahead:
                    ray.wait(list(ahead), timeout=LOOK)
    except ray.exceptions.RayTaskError as error:  # what the task raised, under Ray's account of where
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise InputError(
            f"The Ray cluster lost a scene for good ({type(error).__name__}); look at its nodes' memory and run the "
            "command again, it goes on from the scenes that are finished."
        ) from error
    finally:
        for reference in ahead:
            ray.cancel(reference, force=True)
    if stopped:
        raise KeyboardInterrupt


def connected() -> Any:
    """Ray, connected to a cluster. Raises InputError where there is none."""
    try:
        import ray
    except ImportError:
        raise InputError("--engine ray needs Ray; pip install 'rfcli[cluster]'.") from None
    if not ray.is_initialized():
        try:
            ray.init(address="auto", log_to_driver=False, configure_logging=False)
        except ConnectionError:
            raise InputError(
                "--engine ray finds no Ray cluster; start one with `ray start --head`, or set RAY_ADDRESS."
            ) from None
    return ray


def make_bytes(index: int, source: Source, seed: int) -> tuple[Entry, bytes]:
    """Make scene `index`; its entry and the bytes of its file."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "scenes").mkdir()
        entry = make(Path(folder), index, source, seed)
        return entry, (Path(folder) / entry.file).read_bytes()
