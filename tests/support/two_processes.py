"""Two processes that work together, for tests that ask both of them."""

import signal
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
import torch.distributed as dist

from rfcli.runtime.processes import Processes
from rfcli.training import run
from tests.support.fresh_processes import fresh_processes

LONGEST = 300  # seconds; a machine may be busy


def in_two_processes(work: Callable[..., Any], *told: Any, **named: Any) -> list[Any]:
    """What `work(processes, *told, **named)` returns in either of two processes that have met over gloo."""
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2, fresh_processes()) as pool:
        meeting = f"file://{folder}/meeting"
        each = [pool.submit(_joined, Processes(rank, 2), meeting, work, told, named) for rank in (0, 1)]
        return [one.result(LONGEST) for one in each]


def _joined(
    processes: Processes, meeting: str, work: Callable[..., Any], told: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    torch.set_num_threads(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # whoever began the fork server may have held it back
    run.fastest_precision = lambda device: torch.float32
    dist.init_process_group("gloo", init_method=meeting, rank=processes.rank, world_size=processes.count)
    try:
        return work(processes, *told, **named)
    finally:
        dist.destroy_process_group()
