"""A scene whose light is known: all that its views share."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from rfcli.attention import Context
from rfcli.model.scene_batch import SceneBatch


@dataclass(frozen=True)
class LitScene:
    """B scenes after the view-independent stage; what depends on no camera is worked out once, not once a view.

    batch        the scenes. S below is B, or 3 B where their channels are computed apart.
    tokens       [S, R + N, C] that know the light leaving their triangles.
    context      what attention to triangles may know of them as keys.
    keys_values  k and v [S, H, R + N, D] of every layer of the view stage, k rotated where its rotation depends on no
                 camera; None: each view computes those of one layer after another, and no two layers' exist at once.
    seen         [S, R + N, C] the tokens as rays learn of them that see their triangles; None without first hits.
    vertex_light [S, N, 3 C'] features of the light at the triangles' vertices; None without first hits.
    unit         [S] in which light is computed; None where it is as given.
    """

    batch: SceneBatch
    tokens: Tensor
    context: Context
    keys_values: Sequence[Sequence[Tensor]] | None
    seen: Tensor | None
    vertex_light: Tensor | None
    unit: Tensor | None
