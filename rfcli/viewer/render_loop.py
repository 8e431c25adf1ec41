"""The one thread that renders. Others only state what is wanted; the newest wish of a view replaces older ones.

A view goes through three steps: a coarse picture as soon as its camera or the scene has changed, the final picture once
it rests, and refinement (of a path-traced image) as long as nothing else is wanted. Work in the background, such as the
frames of a video, fills the gaps.
"""

import atexit
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol

EXIT_SECONDS = 10.0  # that the end of the process waits for the present step
REST_SECONDS = 0.15  # without a change, after which a view rests


class Drawer(Protocol):
    """Draws the views; all methods run on the thread that renders and may raise `Interrupted`."""

    def coarse(self, view: Hashable) -> bool:
        """Draw a fast picture; returns True if it is as good as the final one."""
        ...

    def final(self, view: Hashable) -> None:
        """Draw the picture of a view that rests."""
        ...

    def refine(self, view: Hashable) -> bool:
        """Improve the final picture; returns False if there is nothing to improve."""
        ...

    def present(self, view: Hashable) -> None:
        """Show the last picture again, with other settings of display."""
        ...

    def failed(self, view: Hashable | None, error: Exception) -> None:
        """Show an error of a view, or of work in the background."""
        ...


@dataclass
class _View:
    """What a view wants, and what it has.

    Versions count changes of camera or scene: each step remembers for which version it was last done.
    """

    version: int = 1
    changed: float = 0.0
    coarse: int = 0
    final: int = 0
    refined: int = 0
    stale_display: bool = False
    turn: int = 0  # of the loop at which it was last drawn, so that several views take turns


class Interrupted(Exception):  # noqa: N818 (not an error)
    """A newer picture is wanted, or the viewer closes."""


class RenderLoop:
    """Runs a `Drawer` on its own thread.

    Args:
        drawer: Draws.
        prepare: Called once on the thread, before everything else.
    """

    def __init__(self, drawer: Drawer, prepare: Callable[[], None] = lambda: None) -> None:
        self._drawer, self._prepare = drawer, prepare
        self._views: dict[Hashable, _View] = {}
        self._background: list[Iterator[object]] = []
        self._changed = threading.Condition()
        self._closing = False
        self._turn = 0
        self._working_on: str | None = None
        self._thread = threading.Thread(target=self._run, name="rf view renders", daemon=True)

    def start(self) -> None:
        self._thread.start()
        # A step of a C++ library that still runs when the interpreter ends would abort the process.
        atexit.register(self.close, EXIT_SECONDS)

    def request(self, view: Hashable) -> None:
        """The camera of a view, or the scene in it, has changed; also adds a view."""
        with self._changed:
            wanted = self._views.setdefault(view, _View(version=0))
            wanted.version += 1
            wanted.changed = time.monotonic()
            self._changed.notify()

    def request_all(self) -> None:
        """The scene has changed in all views."""
        with self._changed:
            views = list(self._views)
        for view in views:
            self.request(view)

    def present_all(self) -> None:
        """Settings of display have changed; nothing is rendered."""
        with self._changed:
            for view in self._views.values():
                view.stale_display = True
            self._changed.notify()

    def remove(self, view: Hashable) -> None:
        """A view was closed."""
        with self._changed:
            self._views.pop(view, None)
            self._changed.notify()

    def add_background(self, work: Iterator[object]) -> None:
        """Exhaust an iterator, one step at a time, while no view wants a picture."""
        with self._changed:
            self._background.append(work)
            self._changed.notify()

    @property
    def closing(self) -> bool:
        """Whether the loop ends."""
        return self._closing

    def interrupted(self) -> bool:
        """Whether the present step should be given up.

        Coarse pictures are finished, or no picture would appear while the camera moves.
        """
        if self._closing:
            return True
        if self._working_on == "coarse":
            return False
        with self._changed:
            return any(view.coarse < view.version for view in self._views.values())

    def close(self, seconds: float = 2.0) -> bool:
        """End the thread; returns False if it does not end in time (it ends with the process, being a daemon)."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(seconds)
        if not self._thread.is_alive():
            atexit.unregister(self.close)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._attempt(None, self._prepare)
        while True:
            with self._changed:
                if self._closing:
                    return
                step, view = self._next(time.monotonic())
                if step is None:
                    self._changed.wait(self._rest_left(time.monotonic()))
                    continue
                self._turn += 1
                self._working_on = step
                version = self._views[view].version if view is not None else 0
                if view is not None:
                    self._views[view].turn = self._turn
                    self._views[view].stale_display = False
            if view is None:
                self._attempt(None, self._background_step)
            else:
                self._draw(step, view, version)
            self._working_on = None

    def _draw(self, step: str, view: Hashable, version: int) -> None:
        """Take one step for a view and remember for which version it was done, also if it failed."""
        outcome: list[bool | None] = [None]

        def draw() -> None:
            outcome[0] = getattr(self._drawer, step)(view)

        if not self._attempt(view, draw):
            return
        with self._changed:
            state = self._views.get(view)
            if state is None:
                return
            if step == "coarse":
                state.coarse = version
                if outcome[0]:
                    state.final = version
            elif step == "final":
                state.final = version
            elif step == "refine" and not outcome[0]:
                state.refined = version

    def _next(self, now: float) -> tuple[str | None, Hashable | None]:
        """The most urgent step, and its view; the view drawn longest ago comes first."""
        views = sorted(self._views.items(), key=lambda item: item[1].turn)
        for name, view in views:
            if view.stale_display and view.coarse == view.version:
                return "present", name
        for name, view in views:
            if view.coarse < view.version:
                return "coarse", name
        for name, view in views:
            if view.final < view.version and now - view.changed >= REST_SECONDS:
                return "final", name
        for name, view in views:
            if view.final == view.version and view.refined < view.version:
                return "refine", name
        return ("background", None) if self._background else (None, None)

    def _rest_left(self, now: float) -> float | None:
        """Seconds until the next view rests; None if all do."""
        waiting = [view.changed + REST_SECONDS - now for view in self._views.values() if view.final < view.version]
        return max(0.0, min(waiting)) if waiting else None

    def _background_step(self) -> None:
        work = self._background.pop(0)
        for _ in work:
            self._background.append(work)
            break

    def _attempt(self, view: Hashable | None, work: Callable[[], None]) -> bool:
        """Do the work; returns False if it was interrupted. An error is shown, and counts as done."""
        try:
            work()
        except Interrupted:
            return False
        except Exception as error:
            self._drawer.failed(view, error)
        return True
