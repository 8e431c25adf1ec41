"""The curves of a study: mechanisms, on CUDA also with torch's kernels for softmax apart and in both number formats."""

from collections.abc import Sequence
from dataclasses import dataclass

FP32, BF16 = "fp32", "bf16"
FLASH, PLAIN = "flash", "plain"


@dataclass(frozen=True)
class Variant:
    """name: of the curve. kernel: the only one of torch's that softmax may use, None = torch's own choice.
    precision: of the view-independent stage."""

    name: str
    attention: str
    kernel: str | None = None
    precision: str = FP32


def variants(attentions: Sequence[str], device: str) -> list[Variant]:
    """On CUDA each mechanism in both formats; sdpa with the flash kernel, which has no fp32, and with the plain one,
    which holds all N^2 weights, beside the kernel that torch takes by itself for fp32. Elsewhere just the mechanisms.
    """
    found = []
    for name in attentions:
        found.append(Variant(name, name))
        if device != "cuda":
            continue
        if name == "sdpa":
            found += [
                Variant("sdpa-plain", name, PLAIN),
                Variant("sdpa-flash-bf16", name, FLASH, BF16),
                Variant("sdpa-plain-bf16", name, PLAIN, BF16),
            ]
        else:
            found.append(Variant(f"{name}-{BF16}", name, precision=BF16))
    return found
