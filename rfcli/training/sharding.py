"""Training in several processes, each with the whole model or with a part of it; gradients are averaged over them.

With whole models, torch's DistributedDataParallel averages the gradients of a group of weights as soon as the backward
pass has computed them, while it goes on with earlier layers.

Sharded, every process holds a part of the rows of each weight, gradient, average and optimiser state: ZeRO (Rajbhandari
et al., arXiv 1910.02054), by torch's fully_shard. The weights of a layer are gathered when it is used and
freed afterwards, in the forward and the backward pass; its gradients are averaged over the processes and each process
keeps its part. Saved files hold whole tensors, the same as those of a run that is not sharded.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from rfcli.errors import InputError
from rfcli.model import RenderFormer
from rfcli.model.architectures import build
from rfcli.runtime.processes import Processes

GROUP_MB = 25.0  # of gradients that are averaged in one message; smaller groups start earlier, and are slower in total


def replicated(module: nn.Module, processes: Processes) -> nn.Module:
    """The module with gradients averaged over the processes during the backward pass; itself for a single process."""
    if processes.count == 1:
        return module
    # Attention transfer and frozen stages leave weights without gradients. Those have to be looked for in every step,
    # which also keeps the groups the same from the first step on, so that a resumed run adds in the same order.
    return nn.parallel.DistributedDataParallel(
        module,
        broadcast_buffers=False,
        find_unused_parameters=True,
        gradient_as_bucket_view=True,
        bucket_cap_mb=GROUP_MB,
    )


def shard(model: RenderFormer, root: nn.Module) -> None:
    """Shard the weights of a model, in place. All processes call this.

    root: the module whose call uses the weights: the model, or a module that contains it.
    Raises InputError if torch is too old.
    """
    try:
        from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
    except ImportError:
        raise InputError(f"`shard` needs torch 2.6 or later, and this is {torch.__version__}; update torch.") from None
    # The views are keys and values, which are never written to.
    warnings.filterwarnings("ignore", r"FSDP2-wrapped module \(.*\) returned a view tensor")
    for layer, attention in zip(model.transformer.layers, model.transformer.attentions(), strict=True):
        fully_shard(attention)  # attention transfer calls it without the layer
        fully_shard(layer)
    for view_layer in model.view_transformer.transformer.layer_list():
        fully_shard(view_layer)
        register_fsdp_forward_method(view_layer, "keys_values")
    fully_shard(root)


def local_shard(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds, as a view; the tensor itself if it is not sharded."""
    return tensor.to_local() if _is_sharded(tensor) else tensor  # type: ignore[attr-defined,no-any-return]


def gathered(tensor: Tensor) -> Tensor:
    """The whole of a tensor that may be sharded. All processes call this."""
    return tensor.full_tensor() if _is_sharded(tensor) else tensor  # type: ignore[attr-defined,no-any-return]


def sharded_like(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, which all processes have, sharded as `like` is; unchanged if `like` is not sharded."""
    if not _is_sharded(like):
        return tensor
    from torch.distributed.tensor import DTensor, Replicate

    mesh, placements = like.device_mesh, like.placements  # type: ignore[attr-defined]
    everywhere = DTensor.from_local(tensor.to(like.device), mesh, [Replicate()], run_check=False)
    return everywhere.redistribute(placements=placements)


def gathered_values(values: Any, keep: bool) -> Any:
    """Nested dicts and lists with every sharded tensor whole, on the CPU. All processes call this.

    keep: whether this process gets the whole tensors; if not, it gets None in their place.
    """
    if isinstance(values, dict):
        return {name: gathered_values(value, keep) for name, value in values.items()}
    if isinstance(values, list):
        return [gathered_values(value, keep) for value in values]
    if isinstance(values, Tensor) and _is_sharded(values):
        tensor = gathered(values)
        return tensor.cpu() if keep else None
    return values


def gathered_model(model: RenderFormer, keep: bool) -> RenderFormer | None:
    """A copy of a sharded model with whole weights, on its device; the model itself if it is not sharded.

    All processes call this. keep: whether this process gets the copy; if not, it gets None.
    """
    parameter = next(model.parameters())
    if not _is_sharded(parameter):
        return model
    weights = gathered_values(model.state_dict(), keep)
    if not keep:
        return None
    copy = build(model.config)
    copy.load_state_dict(weights)
    return copy.to(parameter.device).train(model.training)


def _is_sharded(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")
