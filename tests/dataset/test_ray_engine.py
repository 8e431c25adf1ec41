"""The Ray engine on a local cluster that loses a node."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rfcli.dataset.generate import generate_scenes, open_dataset
from rfcli.dataset.ray_engine import connected_ray, generate_on_ray
from rfcli.errors import InputError
from tests.support.dataset_sources import OPTIONS, FullDiskSource, NoiseSource, contents, make_dataset

try:
    import ray
    from ray.cluster_utils import Cluster
except ImportError:
    ray = None

needs_ray = pytest.mark.skipif(ray is None, reason="Ray is not installed: pip install 'rfcli[cluster]'")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without cores and a node with two."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=":")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.add_node(num_cpus=2)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@needs_ray
@pytest.mark.slow
def test_a_lost_node_loses_no_scene(cluster: Any, tmp_path: Path) -> None:
    scenes, lost = 12, next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)
    open_dataset(tmp_path / "ray", OPTIONS, 1)
    run = generate_scenes(tmp_path / "ray", scenes, NoiseSource(seconds=0.3), 0, engine=generate_on_ray)
    order = [next(run).index, next(run).index]
    cluster.remove_node(lost, allow_graceful=False)
    cluster.add_node(num_cpus=2)
    order += [entry.index for entry in run]
    assert order == list(range(scenes))
    assert contents(tmp_path / "ray") == contents(make_dataset(tmp_path / "local", scenes))

    failing = FullDiskSource(failing=scenes + 1)
    with pytest.raises(InputError, match="No space left"):  # an exception of the source is passed on
        list(generate_scenes(tmp_path / "ray", scenes + 2, failing, 0, engine=generate_on_ray))


@needs_ray
def test_a_missing_cluster_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(InputError, match="ray start --head"):
        connected_ray()


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"rfcli\[cluster\]"):
        connected_ray()
