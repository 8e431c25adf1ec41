"""Datasets on disk: generate, read, check, merge and pack scenes with their images; augment and batch them."""

from rfcli.dataset.augment import Augmentation, apply_augmentation, draw_augmentation
from rfcli.dataset.batching import epoch_batches, is_validation
from rfcli.dataset.check import Fault, check_dataset
from rfcli.dataset.generate import generate_scenes, open_dataset
from rfcli.dataset.manifest import Entry, read_manifest
from rfcli.dataset.pack import pack_dataset
from rfcli.dataset.sample import Sample, read_sample, write_sample
from rfcli.dataset.shards import Shard, merge_shards
from rfcli.dataset.training_scene import TrainingScene, at_resolution

__all__ = [
    "Augmentation",
    "Entry",
    "Fault",
    "Sample",
    "Shard",
    "TrainingScene",
    "apply_augmentation",
    "at_resolution",
    "check_dataset",
    "draw_augmentation",
    "epoch_batches",
    "generate_scenes",
    "is_validation",
    "merge_shards",
    "open_dataset",
    "pack_dataset",
    "read_manifest",
    "read_sample",
    "write_sample",
]
