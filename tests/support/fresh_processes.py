"""Fresh processes for tests of training, without the seconds that their imports take."""

import multiprocessing
from multiprocessing.context import BaseContext

# torch._dynamo: what fully_shard imports at its first call
IMPORTS = ["rfcli.training.loop", "tests.support.training_scenes", "torch.distributed.fsdp", "torch._dynamo"]


def fresh_processes() -> BaseContext:
    """The context of a fork server that has the imports behind it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTS)
    return context
