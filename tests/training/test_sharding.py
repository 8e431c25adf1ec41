"""Sharded training against training of whole copies: each process holds half, and the results are the same."""

import dataclasses
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rfcli.metrics.perceptual import StructuralDistance
from rfcli.model import convert, read_checkpoint
from rfcli.runtime.processes import Processes
from rfcli.training import sharding
from rfcli.training.loop import fit
from rfcli.training.run import Run
from rfcli.training.sharding import gathered, local_shard
from rfcli.training.state import read_state
from tests.support.training_process import differences, last_state
from tests.support.training_scenes import (
    RecordingCallbacks,
    fresh_model,
    repeat_step,
    train_options,
    training_data,
)
from tests.support.two_processes import in_two_processes

STEPS, HALFWAY = 4, 2
Result = tuple[Path, list[tuple[float, float]]]  # folder of a run, and loss and gradient norm of each of its steps


def train(
    processes: Processes, out: Path, stop: int = STEPS, attention: str = "sdpa", **changes: Any
) -> list[tuple[float, float]]:
    """Start or resume the run in `out`, which is interrupted at step `stop`; returns loss and gradient norm by step."""
    steps: list[tuple[float, float]] = []

    class InterruptAt(RecordingCallbacks):
        def on_step(self, step: int, losses: dict[str, float]) -> None:
            steps.append((losses["loss"], losses["gradient_norm"]))
            if step == stop < STEPS:
                signal.raise_signal(signal.SIGINT)

    options = train_options(out, steps=STEPS, **changes)
    model = fresh_model(dropout=0.1)  # dropout uses random numbers, so a generator in another state would be noticed
    swapped = attention != model.config.attention
    student, teacher = (convert(model, attention), model) if swapped else (model, None)
    fit(student, training_data(), options, InterruptAt(), teacher, read_state(out, options), processes)
    return steps


def train_in_two_processes(out: Path, **changes: Any) -> list[tuple[float, float]]:
    first, second = in_two_processes(train, out, **changes)
    assert second == []  # callbacks are called in the first process only
    return first  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Result:
    out = tmp_path_factory.mktemp("runs") / "copies"
    return out, train_in_two_processes(out)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Result:
    out = tmp_path_factory.mktemp("runs") / "shards"
    return out, train_in_two_processes(out, shard=True)


def relative_distance(a: Path, b: Path) -> float:
    """Distance between the weights of two runs, relative to their distance from the initial weights."""
    ours, theirs = (last_state(out)["weights"] for out in (a, b))
    start = fresh_model().state_dict()

    def distance(x: dict[str, torch.Tensor], y: dict[str, torch.Tensor]) -> float:
        return float(torch.stack([(x[name] - y[name]).square().sum() for name in x if name in y]).sum().sqrt())

    return distance(ours, theirs) / distance(ours, start)


def layout(values: Any) -> Any:
    """Nested values with type, shape and dtype in place of each tensor."""
    if isinstance(values, dict):
        return {name: layout(value) for name, value in values.items()}
    if isinstance(values, list):
        return [layout(value) for value in values]
    return (type(values), values.shape, values.dtype) if isinstance(values, torch.Tensor) else values


def check_equal(copies: Result, shards: Result) -> None:
    """The same losses, weights within rounding, and files of the same layout."""
    assert len(shards[1]) == STEPS
    assert np.array(shards[1]) == pytest.approx(np.array(copies[1]), rel=1e-5)
    assert relative_distance(copies[0], shards[0]) < 1e-3
    ours, theirs = (last_state(out) for out, _ in (copies, shards))
    for part in ("weights", "average", "optimizer"):
        assert layout(ours[part]) == layout(theirs[part])
    saved = read_checkpoint(shards[0]).state_dict()
    assert all(torch.equal(value, theirs["average"][f"module.{name}"]) for name, value in saved.items())


@pytest.mark.slow
def test_shards_train_as_copies_do(copies: Result, shards: Result) -> None:
    check_equal(copies, shards)


@pytest.mark.long
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"optimizer": "adamw", "freeze": "view"}, id="adamw, view-dependent stage frozen"),
        pytest.param({"freeze": "triangles"}, id="view-independent stage frozen"),
        pytest.param({"recompute": True}, id="recomputed"),
        pytest.param({"attention": "hedgehog", "transfer": HALFWAY}, id="transfer"),
    ],
)
def test_shards_train_as_copies_do_with_other_options(tmp_path: Path, changes: dict[str, Any]) -> None:
    results = [
        (tmp_path / str(s), train_in_two_processes(tmp_path / str(s), **changes, shard=s)) for s in (False, True)
    ]
    check_equal(*results)


def held_numbers(processes: Processes, out: Path) -> dict[str, tuple[int, int]]:
    """How many numbers this process holds after a step, and how many there are in total."""
    run = Run(fresh_model(), None, training_data(), train_options(out, shard=True), processes)
    run.model.train()
    run.step(0)
    momenta = [
        value
        for part in run.optimizer.parts.values()
        for state in part.state.values()
        for value in state.values()
        if value.dim()
    ]

    def count(tensors: Iterable[torch.Tensor]) -> tuple[int, int]:
        here = list(tensors)
        return sum(local_shard(tensor).numel() for tensor in here), sum(tensor.numel() for tensor in here)

    weights = list(run.model.parameters())
    assert all(len(gathered(weight)) == len(weight) for weight in weights)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    return {
        "weights": count(weights),
        "gradients": count(gradients),
        "average": count(run.average.parameters()),
        "momenta": count(momenta),
    }


@pytest.mark.slow
def test_each_process_holds_half_of_everything(tmp_path: Path) -> None:
    first, second = in_two_processes(held_numbers, tmp_path)
    parameters = sum(parameter.numel() for parameter in fresh_model().parameters())
    for part in first:
        assert first[part][0] + second[part][0] == first[part][1] >= parameters
        assert max(first[part][0], second[part][0]) < 0.52 * first[part][1]


@pytest.mark.slow
def test_an_interrupted_sharded_run_ends_bit_identical(tmp_path: Path, shards: Result) -> None:
    begun = train_in_two_processes(tmp_path, shard=True, stop=HALFWAY)
    rest = train_in_two_processes(tmp_path, shard=True)
    assert (len(begun), len(rest)) == (HALFWAY, STEPS - HALFWAY)
    assert begun + rest == shards[1]
    assert not differences(last_state(tmp_path), last_state(shards[0]))


@pytest.mark.parametrize(
    "shards_first", [pytest.param(False, marks=pytest.mark.slow), pytest.param(True, marks=pytest.mark.long)]
)
def test_copies_resume_from_the_state_of_shards_and_vice_versa(
    tmp_path: Path, copies: Result, shards_first: bool
) -> None:
    train_in_two_processes(tmp_path, shard=shards_first, stop=HALFWAY)
    rest = train_in_two_processes(tmp_path, shard=not shards_first)
    assert np.array(rest) == pytest.approx(np.array(copies[1][HALFWAY:]), rel=1e-5)
    assert relative_distance(copies[0], tmp_path) < 1e-3


def train_on_nan(processes: Processes, out: Path) -> None:
    data = training_data(2)
    for number, scene in enumerate(data.train):
        data.train[number] = dataclasses.replace(scene, images=np.full_like(scene.images, np.nan))
    fit(fresh_model(), data, train_options(out, steps=2, shard=True), RecordingCallbacks(), processes=processes)


@pytest.mark.slow
def test_a_nonfinite_step_is_written_with_whole_tensors(tmp_path: Path) -> None:
    in_two_processes(train_on_nan, tmp_path)
    (file,) = tmp_path.glob("bad-step-*.pt")
    assert torch.load(file, weights_only=True)["model"]["weights"].keys() == fresh_model().state_dict().keys()
    loss, _ = repeat_step(file, StructuralDistance())
    assert not np.isfinite(loss)


def order_of_reductions(processes: Processes, out: Path) -> list[str]:
    """What happens in the backward pass of a step: gradients of single weights, and groups that are averaged."""
    sharding.GROUP_MB = 0.02
    torch.distributed._DEFAULT_FIRST_BUCKET_BYTES = 4096
    run = Run(fresh_model(), None, training_data(), train_options(out), processes)
    order: list[str] = []
    for name, parameter in run.model.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda _, name=name: order.append(name))

    def averaged(_: object, bucket: torch.distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
        order.append("average")
        summed = torch.distributed.all_reduce(bucket.buffer().div_(processes.count), async_op=True).get_future()
        return summed.then(lambda done: done.value()[0])

    run._parallel_loss.register_comm_hook(None, averaged)  # type: ignore[operator]
    run.model.train()
    run.step(0)
    return order


@pytest.mark.slow
def test_gradients_are_averaged_while_the_backward_pass_runs(tmp_path: Path) -> None:
    first, second = in_two_processes(order_of_reductions, tmp_path)
    for order in (first, second):
        weights = [place for place, what in enumerate(order) if what != "average"]
        groups = [place for place, what in enumerate(order) if what == "average"]
        assert len(groups) > 3
        assert groups[0] < weights[len(weights) // 2]  # the first group is on its way in the first half
        assert order.index("tri_token") > groups[len(groups) // 2]
