"""Random directions that are orthogonal within blocks: the projections of FAVOR+.

Each row is distributed as a standard Gaussian in D dimensions, but the rows of one block of D are orthogonal. This
lowers the variance of the estimated kernel (Choromanski et al., arXiv 2009.14794, section 3.3).
"""

import torch
from torch import Tensor


def orthogonal_gaussian(rows: int, dim: int, generator: torch.Generator) -> Tensor:
    """[rows, dim] float32 on the CPU; equal up to rounding on all machines for equal states of the generator."""
    blocks = []
    for start in range(0, rows, dim):
        gaussian = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(gaussian)
        # Without the signs of r's diagonal, q would not be distributed uniformly over all rotations (Haar measure).
        blocks.append((q * r.diagonal().sign()).T[: rows - start])
    directions = torch.cat(blocks)
    # Norms of independent Gaussian vectors, so that each row is distributed as a Gaussian vector.
    norms = torch.randn(rows, dim, generator=generator, dtype=torch.float64).norm(dim=1)
    scaled: Tensor = directions * norms[:, None]
    return scaled.float()
