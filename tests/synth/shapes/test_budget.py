import pytest

from rfcli.synth.shapes.budget import distribute_faces


@pytest.mark.parametrize("faces", [80, 81, 1000])
def test_faces_are_distributed_in_proportion(faces: int) -> None:
    counts = distribute_faces(faces, [1.0, 3.0], 40)
    assert sum(counts) <= faces
    assert min(counts) >= 40
    assert counts[1] - 40 == pytest.approx(3 * (counts[0] - 40), abs=3)
