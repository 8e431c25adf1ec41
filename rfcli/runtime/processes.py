"""Processes that train or measure one model together, started by torchrun or accelerate.

In training each process computes its share of every batch; gradients are summed, so all take the same step. If one
ends, the others end too: they wait for its share at most TIMEOUT, and all end with their launcher.
"""

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rfcli.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TIMEOUT = timedelta(minutes=30)  # for messages of other processes: they wait while rank 0 validates and saves
LAUNCHER_VARIABLE = "TORCHELASTIC_RUN_ID"  # set by torchrun and accelerate launch


@dataclass(frozen=True)
class Processes:
    """This process among those that work together.

    Attributes:
        rank: Index of this process.
        count: Number of processes; 1 if it works by itself.
        launcher: Process id of torchrun or accelerate, which started all of them; None without one.
    """

    rank: int = 0
    count: int = 1
    launcher: int | None = None

    @property
    def first(self) -> bool:
        """True on rank 0, which writes files and prints."""
        return self.rank == 0

    @property
    def orphaned(self) -> bool:
        """Whether the launcher has ended, which would otherwise end this process when another one fails."""
        return self.launcher is not None and os.getppid() != self.launcher

    def share(self, scenes: int) -> tuple[range, float]:
        """Indices of this process's scenes in a batch of `scenes`, and their weight in the mean over the batch.

        With fewer scenes than processes, the remaining processes compute one too, with weight 0.
        """
        own = range(self.rank, scenes, self.count)
        return (own, len(own) / scenes) if own else (range(1), 0.0)

    def all_reduce(self, tensors: "Sequence[Tensor]") -> None:
        """Replace each tensor by its sum over all processes, in one message."""
        if self.count == 1:
            return
        import torch
        import torch.distributed as dist

        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        sums = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, total in zip(tensors, sums, strict=True):
            tensor.copy_(total.view_as(tensor))

    def any(self, device: "torch.device", *flags: bool) -> list[bool]:
        """For each flag, whether it is True in any process."""
        if self.count == 1:
            return list(flags)
        import torch

        counts = torch.tensor(flags, dtype=torch.float32, device=device)
        self.all_reduce([counts])
        return [count > 0 for count in counts.tolist()]

    @contextmanager
    def peer_errors(self) -> Iterator[None]:
        """Turn the error raised when another process has ended or has sent nothing for TIMEOUT into an InputError."""
        try:
            yield
        except RuntimeError as error:
            import torch.distributed as dist

            # gloo's errors have no class of their own
            if self.count == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
                raise
            raise InputError(
                f"Another of the {self.count} training processes has ended, so this one ends too; correct the error "
                "that it printed and run the same command again, which resumes from the last state."
            ) from error


SINGLE_PROCESS = Processes()


def join() -> Processes:
    """Join the process group described by the environment (RANK, WORLD_SIZE and address), until this process ends.

    With GPUs, each process uses its own.
    """
    count = int(os.environ.get("WORLD_SIZE", 1))
    if count == 1:
        return SINGLE_PROCESS
    import torch
    import torch.distributed as dist

    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    if not dist.is_initialized():
        dist.init_process_group("nccl" if gpus else "gloo", timeout=TIMEOUT)
        atexit.register(dist.destroy_process_group)
    return Processes(dist.get_rank(), count, os.getppid() if LAUNCHER_VARIABLE in os.environ else None)


def is_first() -> bool:
    """True on rank 0, also before the processes have joined."""
    return os.environ.get("RANK", "0") == "0"
