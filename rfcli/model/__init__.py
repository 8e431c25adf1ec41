"""The network: its architecture, checkpoints, and rendering with it."""

from rfcli.model.batch import SceneBatch
from rfcli.model.checkpoint import read_checkpoint, save_checkpoint
from rfcli.model.config import PRESETS, RenderFormerConfig
from rfcli.model.conversion import convert, with_attention
from rfcli.model.device import pick_device
from rfcli.model.hub import load
from rfcli.model.renderformer import RenderFormer
from rfcli.model.rendering import render, render_timed

__all__ = [
    "PRESETS",
    "RenderFormer",
    "RenderFormerConfig",
    "SceneBatch",
    "convert",
    "load",
    "pick_device",
    "read_checkpoint",
    "render",
    "render_timed",
    "save_checkpoint",
    "with_attention",
]
