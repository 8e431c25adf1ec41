"""Several processes that train, or measure, one model, as torchrun or accelerate start them. In training each takes its
share of every batch, and what they find is added up, so that all of them take the same step.

None of them outlives the others: where one has gone, those that wait for its share end, and so do all whose launcher
has gone.

Of several processes with one command, which one speaks.
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

PATIENCE = timedelta(minutes=30)  # with a process that says nothing: while the first validates and saves, others wait
LAUNCHED = "TORCHELASTIC_RUN_ID"  # in the environment of what torchrun and accelerate launch start


@dataclass(frozen=True)
class Processes:
    """This process is number `rank` of `count`; by itself where nobody has started others.

    launcher: the process that has started them all and watches over them, by its number; None where there is none."""

    rank: int = 0
    count: int = 1
    launcher: int | None = None

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    @property
    def abandoned(self) -> bool:
        """Whether the launcher has gone, which alone could end this process where another one fails."""
        return self.launcher is not None and os.getppid() != self.launcher

    def share(self, scenes: int) -> tuple[range, float]:
        """Which scenes of a batch of so many this process takes, and what share of the batch's mean theirs is.

        There may be fewer scenes than processes: the others take one too, which counts nothing.
        """
        mine = range(self.rank, scenes, self.count)
        return (mine, len(mine) / scenes) if mine else (range(1), 0.0)

    def add_up(self, tensors: "Sequence[Tensor]") -> None:
        """Replace each tensor by its sum over all processes, in one message."""
        if self.count == 1:
            return
        import torch
        import torch.distributed as dist

        together = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(together)
        totals = torch.split(together, [tensor.numel() for tensor in tensors])
        for tensor, total in zip(tensors, totals, strict=True):
            tensor.copy_(total.view_as(tensor))

    def any(self, device: "torch.device", *flags: bool) -> list[bool]:
        """Of each flag, whether it is so in any of the processes."""
        import torch

        counts = torch.tensor(flags, dtype=torch.float32, device=device)
        self.add_up([counts])
        return [count > 0 for count in counts.tolist()]

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """Within, the error of another process's having gone, or been silent for `PATIENCE`, is an InputError."""
        try:
            yield
        except RuntimeError as error:
            import torch.distributed as dist

            # gloo's errors have no class of their own
            if self.count == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
                raise
            raise InputError(
                f"Another of the {self.count} processes that train together has ended, and so does this one; mend what "
                "that one has said, and give the same command, which goes on from the last state."
            ) from error


ALONE = Processes()


def join() -> Processes:
    """Meet the other processes that the environment tells of (RANK, WORLD_SIZE and where to meet), until this one ends.

    With GPUs each process takes one of its machine's.
    """
    count = int(os.environ.get("WORLD_SIZE", 1))
    if count == 1:
        return ALONE
    import torch
    import torch.distributed as dist

    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    if not dist.is_initialized():
        dist.init_process_group("nccl" if gpus else "gloo", timeout=PATIENCE)
        atexit.register(dist.destroy_process_group)
    return Processes(dist.get_rank(), count, os.getppid() if LAUNCHED in os.environ else None)


def is_first() -> bool:
    """Whether this is it, of those that torchrun or accelerate have started; so is one that was started alone."""
    return os.environ.get("RANK", "0") == "0"
