"""A model in shares against whole copies of it: each process holds half, and what a run leaves is the same."""

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
from rfcli.training.bad_steps import repeat_bad_step
from rfcli.training.loop import fit
from rfcli.training.run import Run
from rfcli.training.sharding import own, whole
from rfcli.training.state import read_state
from tests.support.training_process import differences, last_state
from tests.support.training_scenes import Silent, fresh_model, options, training_data
from tests.support.two_processes import in_two_processes

STEPS, HALFWAY = 4, 2
Done = tuple[Path, list[tuple[float, float]]]  # a run, and loss and gradient's norm of each of its steps


def a_run(
    processes: Processes, out: Path, stop: int = STEPS, attention: str = "sdpa", **changes: Any
) -> list[tuple[float, float]]:
    """Go on with the run in `out` until it ends, or is interrupted at step `stop`. Returns loss and gradient's norm of
    each step."""
    told_of: list[tuple[float, float]] = []

    class StopAt(Silent):
        def stepped(self, step: int, losses: dict[str, float]) -> None:
            told_of.append((losses["loss"], losses["gradient_norm"]))
            if step == stop < STEPS:
                signal.raise_signal(signal.SIGINT)

    told, model, watch = (
        options(out, steps=STEPS, **changes),
        fresh_model(dropout=0.1),
        StopAt(),
    )  # dropout: one that is drawn otherwise would be noticed
    swapped = attention != model.config.attention
    student = convert(model, attention) if swapped else model
    fit(student, training_data(), told, watch, model if swapped else None, read_state(out, told), processes)
    return told_of


def run_of_two(out: Path, **changes: Any) -> list[tuple[float, float]]:
    first, second = in_two_processes(a_run, out, **changes)
    assert second == []  # the first alone is watched
    return first  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Done:
    out = tmp_path_factory.mktemp("runs") / "copies"
    return out, run_of_two(out)


@pytest.fixture(scope="module")
def shares(tmp_path_factory: pytest.TempPathFactory) -> Done:
    out = tmp_path_factory.mktemp("runs") / "shares"
    return out, run_of_two(out, shard=True)


def apart(a: Path, b: Path) -> float:
    """How far the weights of two runs are apart, relative to how far those of an untrained model are."""
    ours, theirs = (last_state(out)["weights"] for out in (a, b))
    start = fresh_model().state_dict()

    def distance(x: dict[str, torch.Tensor], y: dict[str, torch.Tensor]) -> float:
        return float(torch.stack([(x[name] - y[name]).square().sum() for name in x if name in y]).sum().sqrt())

    return distance(ours, theirs) / distance(ours, start)


def layout(values: Any) -> Any:
    """Nested values with what each tensor is in its place: all that a reader of the file has to know of it."""
    if isinstance(values, dict):
        return {name: layout(value) for name, value in values.items()}
    if isinstance(values, list):
        return [layout(value) for value in values]
    return (type(values), values.shape, values.dtype) if isinstance(values, torch.Tensor) else values


def compare(copies: Done, shares: Done) -> None:
    assert len(shares[1]) == STEPS
    assert np.array(shares[1]) == pytest.approx(np.array(copies[1]), rel=1e-5)
    assert apart(copies[0], shares[0]) < 1e-3
    ours, theirs = (last_state(out) for out, _ in (copies, shares))
    for part in ("weights", "average", "optimizer"):
        assert layout(ours[part]) == layout(theirs[part])
    saved = read_checkpoint(shares[0]).state_dict()
    assert all(torch.equal(value, theirs["average"][f"module.{name}"]) for name, value in saved.items())


def test_shares_learn_as_copies_do_and_leave_the_same(copies: Done, shares: Done) -> None:
    compare(copies, shares)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"optimizer": "adamw", "freeze": "view"}, id="adamw, frozen", marks=pytest.mark.long),
        pytest.param({"freeze": "triangles"}, id="triangles frozen", marks=pytest.mark.long),
        pytest.param({"recompute": True}, id="recomputed", marks=pytest.mark.long),
        pytest.param({"attention": "hedgehog", "transfer": HALFWAY}, id="transferred", marks=pytest.mark.long),
    ],
)
def test_so_they_do_in_every_way_of_training(tmp_path: Path, changes: dict[str, Any]) -> None:
    done = [(tmp_path / str(s), run_of_two(tmp_path / str(s), **changes, shard=s)) for s in (False, True)]
    compare(*done)


def holdings(processes: Processes, out: Path) -> dict[str, tuple[int, int]]:
    """How many numbers this process holds after a step, and how many there are in all."""
    run = Run(fresh_model(), None, training_data(), options(out, shard=True), processes)
    run.model.train()
    run.step(0)
    momenta = [
        value
        for part in run.optimizer.parts.values()
        for state in part.state.values()
        for value in state.values()
        if value.dim()
    ]

    def held(tensors: Iterable[torch.Tensor]) -> tuple[int, int]:
        here = list(tensors)
        return sum(own(tensor).numel() for tensor in here), sum(tensor.numel() for tensor in here)

    weights = list(run.model.parameters())
    assert all(len(whole(weight)) == len(weight) for weight in weights)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    return {
        "weights": held(weights),
        "gradients": held(gradients),
        "average": held(run.average.parameters()),
        "momenta": held(momenta),
    }


def test_each_process_holds_half_of_everything(tmp_path: Path) -> None:
    first, second = in_two_processes(holdings, tmp_path)
    parameters = sum(parameter.numel() for parameter in fresh_model().parameters())
    for part in first:
        assert first[part][0] + second[part][0] == first[part][1] >= parameters
        assert max(first[part][0], second[part][0]) < 0.52 * first[part][1]


def test_an_interrupted_run_in_shares_ends_bit_identical(tmp_path: Path, shares: Done) -> None:
    begun = run_of_two(tmp_path, shard=True, stop=HALFWAY)
    rest = run_of_two(tmp_path, shard=True)
    assert (len(begun), len(rest)) == (HALFWAY, STEPS - HALFWAY)
    assert begun + rest == shares[1]
    assert not differences(last_state(tmp_path), last_state(shares[0]))


@pytest.mark.parametrize("shares_first", [False, pytest.param(True, marks=pytest.mark.long)])
def test_copies_go_on_from_the_state_of_shares_and_the_other_way_round(
    tmp_path: Path, copies: Done, shares_first: bool
) -> None:
    run_of_two(tmp_path, shard=shares_first, stop=HALFWAY)
    rest = run_of_two(tmp_path, shard=not shares_first)
    assert np.array(rest) == pytest.approx(np.array(copies[1][HALFWAY:]), rel=1e-5)
    assert apart(copies[0], tmp_path) < 1e-3


def a_bad_run(processes: Processes, out: Path) -> None:
    data = training_data(2)
    for number, scene in enumerate(data.train):
        data.train[number] = dataclasses.replace(scene, images=np.full_like(scene.images, np.nan))
    fit(fresh_model(), data, options(out, steps=2, shard=True), Silent(), processes=processes)


def test_a_bad_step_of_shares_is_kept_whole(tmp_path: Path) -> None:
    in_two_processes(a_bad_run, tmp_path)
    (dump,) = tmp_path.glob("bad-step-*.pt")
    assert torch.load(dump, weights_only=True)["model"]["weights"].keys() == fresh_model().state_dict().keys()
    loss, _ = repeat_bad_step(dump, StructuralDistance())
    assert not np.isfinite(loss)
