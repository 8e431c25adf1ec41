"""Runs a function in two processes that are connected by gloo."""

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

MAX_SECONDS = 300  # generous, for busy machines


def in_two_processes(work: Callable[..., Any], *arguments: Any, **options: Any) -> list[Any]:
    """Results of `work(processes, *arguments, **options)` in two processes connected by gloo, by rank."""
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2, fresh_processes()) as pool:
        address = f"file://{folder}/address"
        futures = [pool.submit(_work_joined, Processes(rank, 2), address, work, arguments, options) for rank in (0, 1)]
        return [future.result(MAX_SECONDS) for future in futures]


def _work_joined(
    processes: Processes, address: str, work: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    torch.set_num_threads(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # may be blocked in the fork server
    run.fastest_precision = lambda device: torch.float32
    dist.init_process_group("gloo", init_method=address, rank=processes.rank, world_size=processes.count)
    try:
        return work(processes, *arguments, **options)
    finally:
        dist.destroy_process_group()
