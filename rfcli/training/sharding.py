"""A model in shares: of every tensor of its weights, gradients, averages and optimiser states each process that trains
it holds some rows (Rajbhandari et al., ZeRO, arXiv 1910.02054; torch's fully_shard).

A layer's weights are gathered when it is used and let go after it, forwards and backwards; its gradients are averaged
over the processes on their way back into shares. What leaves a run is whole again, and the same whatever it was in.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from rfcli.errors import InputError
from rfcli.model import RenderFormer


def shard(model: RenderFormer, root: nn.Module) -> None:
    """Leave of each of the weights of `model` this process's share, in place. All processes call this.

    root: the module by whose call the weights are used: the model, or one that holds it.
    Raises InputError where torch is too old for it.
    """
    try:
        from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
    except ImportError:
        raise InputError(
            f"--shard-weights needs torch 2.6 or later, and this is {torch.__version__}; update torch."
        ) from None
    # The views are keys and values, and nobody writes over them.
    warnings.filterwarnings("ignore", r"FSDP2-wrapped module \(.*\) returned a view tensor")
    for layer, attention in zip(model.transformer.layers, model.transformer.attentions(), strict=True):
        fully_shard(attention)  # which attention transfer calls by itself
        fully_shard(layer)
    for view_layer in model.view_transformer.transformer.each():
        fully_shard(view_layer)
        register_fsdp_forward_method(view_layer, "keys_values")
    fully_shard(root)


def own(tensor: Tensor) -> Tensor:
    """This process's share of a tensor that may be sharded; what is written to it is written to the tensor."""
    return tensor.to_local() if _sharded(tensor) else tensor  # type: ignore[attr-defined,no-any-return]


def whole(tensor: Tensor) -> Tensor:
    """A tensor that may be sharded, gathered from all processes, all of which call this."""
    return tensor.full_tensor() if _sharded(tensor) else tensor  # type: ignore[attr-defined,no-any-return]


def shared_out(tensor: Tensor, like: Tensor) -> Tensor:
    """Of a whole tensor, which all processes have, a tensor in shares as `like` is, where that is sharded."""
    if not _sharded(like):
        return tensor
    from torch.distributed.tensor import DTensor, Replicate

    mesh, placements = like.device_mesh, like.placements  # type: ignore[attr-defined]
    everywhere = DTensor.from_local(tensor.to(like.device), mesh, [Replicate()], run_check=False)
    return everywhere.redistribute(placements=placements)


def gathered(values: Any, keep: bool) -> Any:
    """Nested dicts and lists with whatever is sharded in them whole, on the CPU. All processes call this; only those
    that are to `keep` it have it afterwards, the others None in its place."""
    if isinstance(values, dict):
        return {name: gathered(value, keep) for name, value in values.items()}
    if isinstance(values, list):
        return [gathered(value, keep) for value in values]
    if isinstance(values, Tensor) and _sharded(values):
        tensor = whole(values)
        return tensor.cpu() if keep else None
    return values


def whole_model(model: RenderFormer, keep: bool) -> RenderFormer | None:
    """A copy of a sharded model, on its device and in one piece, for those processes that are to `keep` it.

    All processes call this. A model that is not sharded is returned as it is.
    """
    parameter = next(model.parameters())
    if not _sharded(parameter):
        return model
    weights = gathered(model.state_dict(), keep)
    if not keep:
        return None
    copy = RenderFormer(model.config)
    copy.load_state_dict(weights)
    return copy.to(parameter.device).train(model.training)


def _sharded(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")
