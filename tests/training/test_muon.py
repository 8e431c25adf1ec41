"""Muon against the singular value decomposition, and against torch's Muon if there is one."""

import pytest
import torch
from torch import nn

from rfcli.training.muon import UPDATE_RMS, Muon, orthogonalised


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 40), (2, 40, 16), (4, 1, 5), (1, 128, 384)])
def test_singular_values_become_one_and_singular_vectors_stay(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, s, v = torch.linalg.svd(matrices.double(), full_matrices=False)
    in_singular_basis = u.mT @ orthogonalised(matrices).double() @ v.mT
    diagonal = torch.diagonal(in_singular_basis, dim1=-2, dim2=-1)
    off_diagonal = in_singular_basis - torch.diag_embed(diagonal)
    assert off_diagonal.abs().max() < 1e-4
    large = s > 0.02 * s.norm(dim=-1, keepdim=True)
    assert large.any()
    assert diagonal[large].min() > 0.6
    assert diagonal[large].max() < 1.3


def test_zeros_stay_zeros() -> None:
    assert torch.equal(orthogonalised(torch.zeros(2, 4, 6)), torch.zeros(2, 4, 6))


def test_result_is_independent_of_the_scale_of_the_gradient() -> None:
    matrices = torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(orthogonalised(matrices), orthogonalised(1e-6 * matrices), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [(64, 64), (32, 96), (96, 32)])
def test_rms_of_an_update(shape: tuple[int, int]) -> None:
    weight = nn.Parameter(torch.zeros(shape))
    weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    Muon([weight], lr=0.1, weight_decay=0.0).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.1 * UPDATE_RMS, rel=0.25)


def test_matrices_without_a_gradient_do_not_change_and_others_decay() -> None:
    unused, used = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4, 4))
    used.grad = torch.zeros(4, 4)
    Muon([unused, used], lr=0.1, weight_decay=0.5).step()
    assert torch.equal(unused, torch.ones(4, 4))
    torch.testing.assert_close(used.detach(), torch.full((4, 4), 0.95))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_updates_match_torch_within_the_rounding_of_bfloat16() -> None:
    generator = torch.Generator().manual_seed(4)
    start = torch.randn(24, 40, generator=generator)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizers = [
        Muon([ours], lr=0.02, weight_decay=0.1),
        torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
    ]
    for _ in range(5):
        gradient = torch.randn(24, 40, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        for optimizer in optimizers:
            optimizer.step()
    moved = (theirs - start).norm()
    assert ((ours - theirs).norm() / moved).item() < 0.03
