"""Fresh processes for tests of training that do not repeat the slow imports."""

import multiprocessing
from multiprocessing.context import BaseContext

# fully_shard imports torch._dynamo at its first call
IMPORTS = ["rfcli.training.loop", "tests.support.training_scenes", "torch.distributed.fsdp", "torch._dynamo"]


def fresh_processes() -> BaseContext:
    """The context of a fork server that has imported IMPORTS."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTS)
    return context
