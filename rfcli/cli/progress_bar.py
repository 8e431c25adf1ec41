"""rich's bar with room above and below it for what changes. Apart from `progress`, as rich is slow to import."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.progress import Progress


class Bar(Progress):
    """above, below: whatever is to be shown there; None = nothing."""

    above: RenderableType | None = None
    below: RenderableType | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.above is not None:
            yield self.above
        yield from super().get_renderables()
        if self.below is not None:
            yield self.below
