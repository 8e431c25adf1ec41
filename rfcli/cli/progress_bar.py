"""rich's bar with room above it for a picture that changes. Apart from `progress`, as rich is slow to import."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.progress import Progress


class Bar(Progress):
    """above: whatever is to be shown above the bar; None = nothing."""

    above: RenderableType | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.above is not None:
            yield self.above
        yield from super().get_renderables()
