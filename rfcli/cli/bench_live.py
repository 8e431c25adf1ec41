"""What a reader sees of a study while it runs: the figure as it grows, and the time left."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rfcli.cli.console import Console
from rfcli.cli.terminal_plot import terminal_plot

if TYPE_CHECKING:
    from rfcli.study import Watch
    from rfcli.study.measurement import Measurement

WIDTH, HEIGHT = 78, 17  # characters of the plot, at most


@contextmanager
def live(console: Console, counts: Sequence[int]) -> "Iterator[Watch]":
    """Shows points of the stage as they come: in a terminal as curves above the bar, elsewhere as a line per count."""
    from rfcli.study import Watch

    told: set[int] = set()
    with console.progress("bench", total=None, unit="") as progress:

        def show(points: "Sequence[Measurement]") -> None:
            if not points:
                return
            if progress.drawn:
                curves: dict[str, list[tuple[float, float]]] = {}
                for point in sorted(points, key=lambda point: point.triangles):
                    curves.setdefault(point.attention, []).append((point.triangles, point.typical))
                progress.above(terminal_plot(curves, counts, min(WIDTH, progress.width), HEIGHT))
                return
            for count in sorted({point.triangles for point in points} - told):
                told.add(count)
                of_it = [f"{one.attention} {one.typical:.3g} s" for one in points if one.triangles == count]
                console.say(f"{count:,} triangles: {', '.join(of_it)}")

        yield Watch(progress.show, show)
