import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfcli.cli.options import triangle_counts, triangle_range
from rfcli.errors import InputError


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("4096", (4096,)),
        ("1k", (1024,)),
        ("1K", (1024,)),
        ("1k-64k", (1024, 2048, 4096, 8192, 16384, 32768, 65536)),
        ("1k-4k", (1024, 2048, 4096)),
        ("1k,4k,20k", (1024, 4096, 20480)),
        ("4k, 1k", (1024, 4096)),
        ("1k-4k,2k,3000", (1024, 2048, 3000, 4096)),
        ("2k-2k", (2048,)),
        ("1k-3k", (1024, 2048)),
    ],
)
def test_counts(text: str, counts: tuple[int, ...]) -> None:
    assert triangle_counts("--triangles", text) == counts


@given(st.integers(0, 12), st.integers(0, 12))
def test_ranges_of_powers_of_two_contain_all_between(low: int, more: int) -> None:
    counts = triangle_counts("--triangles", f"{2**low}-{2 ** (low + more)}")
    assert counts == tuple(2**power for power in range(low, low + more + 1))


@pytest.mark.parametrize(("text", "ends"), [("256-1536", (256, 1536)), ("1k-4k", (1024, 4096)), ("300", (300, 300))])
def test_plain_ranges(text: str, ends: tuple[int, int]) -> None:
    assert triangle_range("--triangles", text) == ends


@pytest.mark.parametrize("parse", [triangle_counts, triangle_range])
@pytest.mark.parametrize("text", ["", "many", "0", "-1", "1k-", "-4k", "1.5k", "1m", "1k--4k", "1-2-3", "99999999999"])
def test_invalid_counts_are_named(parse, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"^--triangles: '.*' is not a triangle count; write "):
        parse("--triangles", text)


@pytest.mark.parametrize("parse", [triangle_counts, triangle_range])
def test_descending_ranges_are_reversed_in_the_message(parse) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="'64k-1k' runs from high to low; write 1k-64k"):
        parse("--triangles", "64k-1k")
