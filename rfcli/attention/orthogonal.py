"""Random directions that are orthogonal within blocks: the projections of FAVOR+.

Each row is distributed as a standard Gaussian in D dimensions, but the rows of one block of D are orthogonal, which
lowers the variance of the kernel's estimate (Choromanski et al., arXiv 2009.14794, section 3.3).
"""

import torch
from torch import Tensor


def orthogonal_gaussian(rows: int, dim: int, generator: torch.Generator) -> Tensor:
    """[rows, dim] float32 on the CPU, the same for the same generator state on every machine up to rounding."""
    blocks = []
    for start in range(0, rows, dim):
        gaussian = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(gaussian)
        # QR's sign convention would favour some rotations; fixing the sign of r's diagonal makes q uniform (Haar).
        blocks.append((q * r.diagonal().sign()).T[: rows - start])
    directions = torch.cat(blocks)
    # Norms of independent Gaussian vectors, so that each row alone is exactly Gaussian.
    norms = torch.randn(rows, dim, generator=generator, dtype=torch.float64).norm(dim=1)
    scaled: Tensor = directions * norms[:, None]
    return scaled.float()
