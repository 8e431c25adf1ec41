"""Cameras by number."""

import pytest

from rfcli.errors import InputError
from rfcli.pictures.jobs import view_numbers


@pytest.mark.parametrize(("text", "numbers"), [("0", (0,)), ("0,2", (0, 2)), (" 3, 1,3 ", (1, 3)), ("10", (10,))])
def test_view_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert view_numbers(text) == numbers


@pytest.mark.parametrize("text", ["", "-1", "0,", "one", "1.5", "0-2"])
def test_what_is_no_list_of_cameras(text: str) -> None:
    with pytest.raises(InputError, match="--view"):
        view_numbers(text)
