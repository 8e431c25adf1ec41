"""The network: its architecture, checkpoints, and rendering with it."""

from rfcli.model.checkpoint import read_checkpoint, save_checkpoint
from rfcli.model.config import RenderFormerConfig
from rfcli.model.conversion import convert, with_attention
from rfcli.model.device import pick_device
from rfcli.model.presets import PRESETS
from rfcli.model.renderformer import RenderFormer
from rfcli.model.rendering import render, render_timed
from rfcli.model.scene_batch import SceneBatch
from rfcli.model.sources import load

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
