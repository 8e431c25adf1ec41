"""A local cluster of two nodes, one of which is lost."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rfcli.dataset import ray_engine
from rfcli.dataset.generate import generate, open_dataset
from rfcli.dataset.ray_engine import made_by_ray
from rfcli.errors import InputError
from tests.dataset.test_generate import OPTIONS, contents
from tests.support.dataset_sources import FullDisk, Tiny, at_once

try:
    import ray
    from ray.cluster_utils import Cluster
except ImportError:
    ray = None

needs_ray = pytest.mark.skipif(ray is None, reason="Ray is not installed: pip install 'rfcli[cluster]'")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that makes nothing and a node of two cores."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=":")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.add_node(num_cpus=2)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


@needs_ray
def test_a_lost_node_loses_no_scene(cluster: Any, tmp_path: Path) -> None:
    scenes, lost = 12, next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)
    open_dataset(tmp_path / "ray", OPTIONS, 1)
    run = generate(tmp_path / "ray", scenes, Tiny(seconds=0.3), 0, engine=made_by_ray)
    order = [next(run).index, next(run).index]
    cluster.remove_node(lost, allow_graceful=False)
    cluster.add_node(num_cpus=2)
    order += [entry.index for entry in run]
    assert order == list(range(scenes))
    open_dataset(tmp_path / "here", OPTIONS, 1)
    list(generate(tmp_path / "here", scenes, Tiny(), 1, engine=at_once))
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")

    with pytest.raises(InputError, match="No space left"):  # what a source raises there arrives here
        list(generate(tmp_path / "ray", scenes + 2, Shifted(scenes), 0, engine=made_by_ray))


@dataclass(frozen=True)
class Shifted:
    """The disk of a node that is full at scene `first` + 1."""

    first: int

    def __call__(self, index: int) -> Any:
        return FullDisk()(index - self.first)


@needs_ray
def test_no_cluster_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(InputError, match="ray start --head"):
        ray_engine.connected()


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"rfcli\[cluster\]"):
        ray_engine.connected()
