"""The network: its architecture, checkpoints and rendering."""

from rfcli.model.architectures import PRESETS
from rfcli.model.batch import SceneBatch
from rfcli.model.checkpoint import read_checkpoint, save_checkpoint
from rfcli.model.config import RenderFormerConfig
from rfcli.model.conversion import convert, reconfigured, with_attention
from rfcli.model.device import pick_device
from rfcli.model.hub import load
from rfcli.model.renderformer import RenderFormer
from rfcli.model.rendering import render

__all__ = [
    "PRESETS",
    "RenderFormer",
    "RenderFormerConfig",
    "SceneBatch",
    "convert",
    "load",
    "pick_device",
    "read_checkpoint",
    "reconfigured",
    "render",
    "save_checkpoint",
    "with_attention",
]
