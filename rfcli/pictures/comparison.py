"""What is wrong with a picture: reference, prediction and error beside each other, with the numbers."""

import numpy as np

from rfcli.metrics.scores import Scores, score
from rfcli.pictures.images import Display, Linear
from rfcli.pictures.labels import side_by_side
from rfcli.pictures.look import Look


def compare(prediction: Linear, reference: Linear, titles: tuple[str, str], look: Look) -> tuple[Scores, Display]:
    """The scores of a prediction [H, W, 3], or 4 with alpha, and the labelled picture reference | prediction | error.

    titles: of the prediction and of the reference. The error is the map of HDR-FLIP: black is equal, yellow is worst.
    """
    scores, error = score(prediction[..., :3], reference[..., :3])
    colors = np.round(np.clip(error, 0, 1) * 255).astype(np.uint8)
    panels = [look.develop(reference), look.develop(prediction), colors]
    return scores, side_by_side(panels, [titles[1], titles[0], "error (HDR-FLIP)"], scores.line())
