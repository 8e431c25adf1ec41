"""The thread that renders: order of steps, newest wish first, errors, and its end."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator

import pytest

from rfcli.viewer import render_loop
from rfcli.viewer.render_loop import Interrupted, RenderLoop

TIMEOUT = 20.0


class Recorder:
    """A drawer that writes down what it is asked for."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, Hashable]] = []
        self.errors: list[tuple[Hashable | None, Exception]] = []
        self.refinements = 2
        self.before: Callable[[str, Hashable], None] = lambda step, view: None
        self._changed = threading.Condition()

    def _note(self, step: str, view: Hashable) -> None:
        self.before(step, view)
        with self._changed:
            self.steps.append((step, view))
            self._changed.notify_all()

    def coarse(self, view: Hashable) -> bool:
        self._note("coarse", view)
        return False

    def final(self, view: Hashable) -> None:
        self._note("final", view)

    def refine(self, view: Hashable) -> bool:
        self._note("refine", view)
        self.refinements -= 1
        return self.refinements > 0

    def present(self, view: Hashable) -> None:
        self._note("present", view)

    def failed(self, view: Hashable | None, error: Exception) -> None:
        with self._changed:
            self.errors.append((view, error))
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, TIMEOUT), (self.steps, self.errors)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def loop(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[RenderLoop]:
    monkeypatch.setattr(render_loop, "REST_SECONDS", 0.02)
    loop = RenderLoop(recorder)
    yield loop
    assert loop.close()


def test_a_view_is_drawn_coarsely_then_well_then_refined(loop: RenderLoop, recorder: Recorder) -> None:
    loop.request("a")
    loop.start()
    recorder.wait_for(lambda: len(recorder.steps) == 4)
    assert recorder.steps == [("coarse", "a"), ("final", "a"), ("refine", "a"), ("refine", "a")]


def test_views_take_turns(loop: RenderLoop, recorder: Recorder) -> None:
    recorder.refinements = 0
    for view in ("a", "b"):
        loop.request(view)

    def again(step: str, view: Hashable) -> None:
        if step == "coarse" and len(recorder.steps) < 6:
            loop.request(view)

    recorder.before = again
    loop.start()
    recorder.wait_for(lambda: len(recorder.steps) >= 6)
    assert [view for _, view in recorder.steps[:6]] == ["a", "b"] * 3


def test_final_picture_is_given_up_for_a_newer_wish_and_drawn_later(loop: RenderLoop, recorder: Recorder) -> None:
    interruptions = []

    def moved(step: str, view: Hashable) -> None:
        if step == "final" and not interruptions:
            assert not loop.interrupted()
            loop.request("a")
            interruptions.append(loop.interrupted())
            raise Interrupted

    recorder.before = moved
    loop.request("a")
    loop.start()
    recorder.wait_for(lambda: ("final", "a") in recorder.steps)
    assert interruptions == [True]
    assert [step for step, _ in recorder.steps[:3]] == ["coarse", "coarse", "final"]


def test_coarse_pictures_are_finished(loop: RenderLoop, recorder: Recorder) -> None:
    asked = []

    def moved(step: str, view: Hashable) -> None:
        if step == "coarse" and not asked:
            loop.request("a")
            asked.append(loop.interrupted())

    recorder.before = moved
    loop.request("a")
    loop.start()
    recorder.wait_for(lambda: ("final", "a") in recorder.steps)
    assert asked == [False]


def test_error_of_a_view_is_reported_and_the_others_live_on(loop: RenderLoop, recorder: Recorder) -> None:
    def broken(step: str, view: Hashable) -> None:
        if view == "a":
            raise ValueError("broken")

    recorder.before = broken
    loop.request("a")
    loop.request("b")
    loop.start()
    recorder.wait_for(lambda: ("final", "b") in recorder.steps and len(recorder.errors) >= 3)
    assert {str(error) for _, error in recorder.errors} == {"broken"}
    assert {view for view, _ in recorder.errors} == {"a"}
    count = len(recorder.errors)
    time.sleep(0.1)
    assert len(recorder.errors) == count  # not again and again


def test_background_work_fills_the_gaps(loop: RenderLoop, recorder: Recorder) -> None:
    done: list[int] = []

    def work() -> Iterator[int]:
        for number in range(3):
            done.append(number)
            if number == 1:
                loop.request("a")
            yield number
        raise ValueError("at the end")

    loop.add_background(work())
    loop.start()
    recorder.wait_for(lambda: len(recorder.errors) == 1)
    assert done == [0, 1, 2]
    assert recorder.errors[0][0] is None
    assert recorder.steps[0] == ("coarse", "a")


def test_display_is_refreshed_without_rendering(loop: RenderLoop, recorder: Recorder) -> None:
    recorder.refinements = 0
    loop.request("a")
    loop.start()
    recorder.wait_for(lambda: ("final", "a") in recorder.steps)
    count = len(recorder.steps)
    loop.present_all()
    recorder.wait_for(lambda: ("present", "a") in recorder.steps)
    assert [step for step, _ in recorder.steps[count:] if step != "refine"] == ["present"]


def test_closed_view_is_drawn_no_more(loop: RenderLoop, recorder: Recorder) -> None:
    recorder.before = lambda step, view: loop.remove("a") if view == "a" else None
    loop.request("a")
    loop.request("b")
    loop.start()
    recorder.wait_for(lambda: ("final", "b") in recorder.steps)
    assert [step for step, view in recorder.steps if view == "a"] == ["coarse"]


def test_loop_ends_at_once_while_it_works(recorder: Recorder) -> None:
    loop = RenderLoop(recorder)

    def until_interrupted(step: str, view: Hashable) -> None:
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            if loop.interrupted():
                raise Interrupted
            time.sleep(0.001)

    recorder.before = until_interrupted
    loop.request("a")
    loop.start()
    start = time.monotonic()
    assert loop.close()
    assert time.monotonic() - start < 1.0
