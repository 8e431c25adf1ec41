"""Mechanisms by name, and one that another package brings."""

from pathlib import Path

import pytest
import torch

from rfcli.attention import Context, create, names
from rfcli.attention.registry import OURS
from rfcli.errors import InputError
from rfcli.model import convert
from tests.support.model_scenes import cameras, random_batch, small_model

MODULE = '''
import torch

class Mean(torch.nn.Module):
    """Everyone hears the average of all real tokens, times `gain`."""

    def __init__(self, heads, head_dim, gain=1.0):
        super().__init__()
        self.gain = gain

    def forward(self, q, k, v, context):
        bias = context.key_bias()
        weight = torch.zeros(v.shape[0], v.shape[2]) if bias is None else bias
        mean = torch.einsum("bn,bhnd->bhd", weight.softmax(-1).to(v), v)
        return self.gain * mean[:, :, None].expand_as(q)
'''


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package as pip leaves it: a module, and a .dist-info folder that names its entry points."""
    (tmp_path / "mean_attention.py").write_text(MODULE)
    about = tmp_path / "mean_attention-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mean-attention\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rfcli.attention]\nmean = mean_attention:Mean\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_ours_come_first_and_by_themselves() -> None:
    assert names() == tuple(OURS)
    assert "mean" not in names()


@pytest.mark.usefixtures("other_package")
def test_a_mechanism_of_another_package_is_one_of_them() -> None:
    assert names() == (*OURS, "mean")
    v = torch.rand(1, 2, 5, 8)
    mask = torch.tensor([[True, True, False, True, False]])
    out = create("mean", heads=2, head_dim=8, gain=3.0)(v, v, v, Context(key_mask=mask))
    assert torch.allclose(out, 3 * v[:, :, mask[0]].mean(2, keepdim=True).expand_as(v))


@pytest.mark.usefixtures("other_package")
def test_a_model_runs_with_it() -> None:
    softmax = small_model()
    converted = convert(softmax, "mean", gain=2.0)
    batch, (c2w, fov) = random_batch(), cameras()
    with torch.no_grad():
        image = converted(batch, c2w, fov, 32)
        assert image.isfinite().all()
        assert not torch.allclose(image, softmax(batch, c2w, fov, 32), atol=1e-4)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown attention 'sdap'.*sdpa"):
        create("sdap", heads=1, head_dim=32)
    with pytest.raises(InputError, match=r"Unknown attention 'mean'.*sdpa"):
        convert(small_model(), "mean")
