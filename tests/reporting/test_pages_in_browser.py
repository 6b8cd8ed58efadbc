"""The pages in a real browser, from disk: the first one and a study's of each kind, of the reports' own tables."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from stages.reporting import page, pictures
from stages.reporting.study import part

TOP = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
STUDIES = ("events",)
PAGES = ("index.html", *(f"{study}/index.html" for study in STUDIES))
ROWS = 12

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The pages of these studies' first rows, with their own pictures and findings."""
    folder = tmp_path_factory.mktemp("pages") / "reports"
    for study in STUDIES:
        _write(study, folder / study)
    page.write_index(folder, STUDIES)
    return folder


def _write(study: str, folder: Path) -> None:
    of_tables = {name: part(study, "tables", name) for name in ("TITLE", "NOTE", "TABLES", "FIGURES")}
    files = sorted((TOP / "reports" / study).glob("*.csv"))
    made = {file.stem: pd.read_csv(file, keep_default_na=False, na_values=[""]) for file in files}
    charts = part(study, "figures", "charts")(made, None)
    folder.mkdir(parents=True)
    for name, table in made.items():
        table.head(ROWS).to_csv(folder / f"{name}.csv", index=False)
    for stem, chart in charts.items():
        pictures.write(chart, folder / "pictures", stem)
    for stem in of_tables["FIGURES"].keys() - charts.keys():
        shutil.copy(Path(__file__).with_name("pixels.png"), folder / "pictures" / f"{stem}.png")
    summary = json.loads((TOP / "reports" / study / "summary.json").read_text())
    summary |= {"question": part(study, "findings", "QUESTION"), "findings": part(study, "findings", "findings")(made)}
    summary |= {"pictures": list(charts), "audit": study == "audit", "clips_measured": 60}
    (folder / "summary.json").write_text(json.dumps(summary))
    page.write_study(folder, summary, note=of_tables["NOTE"], tables=of_tables["TABLES"], figures=of_tables["FIGURES"])
    (folder / "environment.json").write_text("{}")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def opened(browser, reports):
    """Opens a page, and afterwards sees that no error was told and that no request left."""
    errors, requests, shown = [], [], []

    def open_page(name: str, **context):
        shown.append(browser.new_page(**context))
        shown[-1].on("console", lambda message: message.type == "error" and errors.append(message.text))
        shown[-1].on("pageerror", errors.append)
        shown[-1].on("request", lambda request: requests.append(request.url))
        shown[-1].goto((reports / name).as_uri())
        return shown[-1]

    yield open_page
    for one in shown:
        one.close()
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_page(opened, name):
    shown = opened(name)
    for width in (400, 900, 1600):
        shown.set_viewport_size({"width": width, "height": 900})
        assert shown.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation(opened, name, scheme):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(opened(name, color_scheme=scheme)).response["violations"]
    assert [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found] == []


def _column(shown, table: str, number: int) -> list[str]:
    return [text.split()[0] for text in shown.locator(f"#{table} tbody tr > :nth-child({number})").all_inner_texts()]


def test_a_table_is_sorted_by_number_by_mouse_and_by_key(opened):
    shown = opened("events/index.html")
    before = [float(text) for text in _column(shown, "table_3", 3)]
    assert before != sorted(before)
    shown.locator("#table_3 thead th").nth(2).click()
    assert [float(text) for text in _column(shown, "table_3", 3)] == sorted(before)
    shown.locator("#table_3 thead th").nth(2).get_by_role("button").press("Enter")
    assert [float(text) for text in _column(shown, "table_3", 3)] == sorted(before, reverse=True)
    assert shown.locator("#table_3 thead th").nth(2).get_attribute("aria-sort") == "descending"
    assert _column(shown, "table_2", 1)[0] == "none"


def test_a_table_is_filtered_by_what_is_typed(opened):
    shown = opened("events/index.html")
    shown.locator("#table_3-filter").fill("mp3")
    assert _column(shown, "table_3", 1) == ["MP3,"] * 3
    assert shown.locator("#table_3-found").inner_text() == "3 of 11"
    shown.locator("#table_3-filter").fill("")
    assert len(_column(shown, "table_3", 1)) == 11
    assert shown.locator("#table_3-found").inner_text() == ""


def test_nothing_moves_while_a_page_opens(opened):
    moved = """new Promise(done => new PerformanceObserver(
        list => done(list.getEntries().map(entry => entry.value))).observe({type: "layout-shift", buffered: true}))"""
    for name in PAGES:
        shown = opened(name)
        assert shown.evaluate(f"Promise.race([{moved}, new Promise(done => setTimeout(done, 300, []))])") == []


def test_heads_stay_where_a_long_table_is_scrolled(opened):
    shown = opened("audit/index.html")
    region, heads = shown.locator("#of-table_victims .scroll"), shown.locator("#table_victims thead th").first
    region.scroll_into_view_if_needed()
    region.evaluate("region => region.scrollBy(200, 150)")
    top, left = (region.bounding_box()[side] - heads.bounding_box()[side] for side in ("y", "x"))
    assert abs(top) <= 1 and abs(left) <= 1


def test_a_claim_opens_and_all_are_printed(opened):
    shown = opened("events/index.html")
    evidence = shown.locator(".claim dl").first
    assert not evidence.is_visible()
    shown.locator(".claim summary").first.press("Enter")
    assert evidence.is_visible()
    last = shown.locator(".claim dl").last
    assert not last.is_visible()
    shown.emulate_media(media="print")
    assert last.is_visible() and not shown.locator(".tools").first.is_visible()


def test_no_script_but_the_pages_own_runs(browser, reports):
    shown = browser.new_page()
    shown.goto((reports / "index.html").as_uri())
    shown.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.theirs = 1'}))"
    )
    assert shown.evaluate("window.theirs") is None
    shown.close()
