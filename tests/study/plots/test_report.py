"""report.html: its contents, and its behaviour in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rfcli.pictures.images import write_png
from rfcli.study.plots import write_report
from rfcli.study.results import QualityRow, Results, Row
from tests.support.browser import chromium

TERMS = {
    "seconds": {"constant": 0.25, "linear": 1.25e-5, "quadratic": 6.125e-8},
    "seconds_intervals": {"constant": [0.2, 0.3], "linear": [1e-5, 1.5e-5], "quadratic": [5.5e-8, 6.75e-8]},
}
SCORES = {"psnr": 21.5, "ssim": 0.9, "flip": 0.1, "lpips": 0.2}

RESULTS = Results(
    setup={},
    rows=[
        Row("sdpa", 1024, 0.5, 0.4, 0.6, 50_000_000, True, 5),
        Row("sdpa", 2048, 1.5, 1.4, 1.6, 90_000_000, True, 5),
        Row("sdpa", 65536, 250.0, 240.0, 260.0, None, False, 0),
        Row("performer", 1024, 0.4375, 0.3, 0.5, 60_000_000, True, 5),
        Row("performer", 2048, 0.75, 0.7, 0.8, 110_000_000, True, 5, 0.15, 0.8),
        Row("performer", 65536, 30.0, 29.0, 31.0, 3_000_000_000, True, 2),
        Row("<b>late", 65536, None, None, None, None, False, 0),
    ],
    renders=[
        Row("sdpa", 1024, 2.5, 2.4, 2.6, None, True, 5),
        Row("performer", 1024, 2.3125, 2.3, 2.5, None, True, 5),
        Row("performer", 65536, 300.0, 290.0, 310.0, None, False, 0),
    ],
    fits={"sdpa": {"exponent": 1.9, "low": 1.8, "high": 2.0, "from": 1024, "to": 2048, **TERMS}},
    crossings={"performer<sdpa": 1234, "sdpa<performer": None},
    quality=[
        QualityRow("tessellated", 1024, "sdpa", "tiny", True, 0.9, SCORES, None),
        QualityRow("tessellated", 2048, "sdpa", "tiny", True, 2.9, {"psnr": 21.0, "flip": 0.1}, None),
        QualityRow("tessellated", 1024, "performer", "tiny", False, 0.8, {"psnr": 12.25, "flip": 0.3}, {"psnr": 15.75}),
    ],
    measurements=[],
    render_measurements=[],
    crossing_intervals={"performer<sdpa": [1100, 1400], "sdpa<performer": None},
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_png(folder / "grid.png", np.zeros((64, 900, 3), np.uint8))
    page = folder / "report.html"
    assert (
        write_report(page, RESULTS, ("stage of a <model>", "whole render"), "A processor", folder / "grid.png") == page
    )
    return page


def test_tables_have_every_number_and_names_are_escaped(report: Path) -> None:
    text = report.read_text(encoding="utf-8").split('<script type="module">')[0]
    for words in (
        "A processor",
        "0.438 (0.3 to 0.5)",
        "[250]",
        "too little time",
        "12.25",
        "15.75",
        "untrained swap",
        "0.15, 80 %",
        "2.31 (2.3 to 2.5)",
        "[300]",
        "6.12e-08 (5.5e-08 to 6.75e-08)",
    ):
        assert words in text
    assert "performer takes less time than softmax from 1,234 triangles (1,100 to 1,400)" in text
    assert "N to the power 1.90 (1.80 to 2.00)" in text
    assert "<b>late" not in re.sub(r"<script.*?</script>", "", text)
    assert "&lt;b&gt;late" in text
    assert (
        text.index("Quality against seconds")
        < text.index("<h2>Time of a whole render")
        < text.index("<h2>Time of the stage")
    )  # quality comes first


def test_page_is_self_contained(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:)', text.split('<script type="module">')[0]) == []
    assert "default-src 'none'" in text
    assert report.stat().st_size < 1_500_000
    assert text.count("</script>") == text.count("<script")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with chromium() as browser:
        yield browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_its_window_and_its_charts_can_be_switched(
    browser,
    report: Path,
    scheme: str,
    width: int,  # type: ignore[no-untyped-def]
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-drawn='4']", timeout=120_000)
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        paper, ink = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        bright = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (paper, ink)]
        assert (bright[0] > bright[1]) == (scheme == "light")
        for chart in page.query_selector_all(".chart"):
            outside = chart.evaluate(
                "e => { const b = e.getBoundingClientRect();"
                " return [...e.querySelectorAll('text')].filter(t => t.textContent).map(t => t.getBoundingClientRect())"
                ".filter(t => t.left < b.left - 1 || t.right > b.right + 1).length }"
            )
            assert outside == 0  # no label is cut off
        time_chart = page.locator("[data-spec=spec-time]")
        before = time_chart.locator("svg path[stroke='#d55e00'], svg path[fill='#d55e00']").count()
        assert before > 0
        point = time_chart.locator("svg path[fill='#d55e00']").first
        point.scroll_into_view_if_needed()
        point.hover(force=True)
        page.wait_for_selector("#vg-tooltip-element.visible", timeout=10_000)
        assert "performer" in page.inner_text("#vg-tooltip-element")
        assert "0.4375 s" in page.inner_text("#vg-tooltip-element")
        box = page.locator("input[data-attention=performer]")
        box.focus()
        page.keyboard.press("Space")
        page.wait_for_function(
            "document.querySelectorAll(\"[data-spec=spec-time] svg path[fill='#d55e00']\").length === 0", timeout=10_000
        )
        assert time_chart.locator("svg path[stroke='#d55e00']").count() == 0
        assert messages == []
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    finally:
        page.close()


def test_printed_page_is_white_and_checkboxes_become_a_legend(browser, report: Path) -> None:  # type: ignore[no-untyped-def]
    page = browser.new_page(color_scheme="dark", viewport={"width": 718, "height": 1000})  # A4 between its margins
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-drawn='4']", timeout=120_000)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("fieldset label").first.is_visible()
    assert not page.locator("fieldset input").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    assert page.pdf().startswith(b"%PDF")
    page.close()
