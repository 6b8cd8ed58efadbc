"""The pages in a real browser, from disk: the first one and those of all studies, of the reports' own tables."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from browser import chromium, violations, watched

from stages.reporting import page, pictures
from stages.reporting.study import part

TOP = Path(__file__).parents[2]
REPORTS = TOP / "reports"
STUDIES = ("events", "emotion", "transfer", "audiovisual", "speech", "audit")
PAGES = ("index.html", *(f"{study}/index.html" for study in STUDIES))
# How many rows tables have where they are sorted and scrolled, and elsewhere.
ROWS, FEW_ROWS = 5, 2
# What an A4 page has between its margins, in pixels of CSS.
PAPER_PX = 680


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The pages of these studies' first rows, with their own pictures and findings."""
    folder = tmp_path_factory.mktemp("pages") / "reports"
    for study in STUDIES:
        _write(study, folder / study)
    page.write_index(folder, STUDIES)
    return folder


def _write(study: str, folder: Path) -> None:
    """The study's page of the first rows of its tables; charts are of all rows, pictures of pixels are left out."""
    title, note, tables, figures = (part(study, "tables", name) for name in ("TITLE", "NOTE", "TABLES", "FIGURES"))
    made = {file.stem: pd.read_csv(file) for file in sorted((REPORTS / study).glob("*.csv"))}
    folder.mkdir(parents=True)
    for name, table in made.items():
        table.head(ROWS if study in ("events", "audit") else FEW_ROWS).to_csv(folder / f"{name}.csv", index=False)
    charts = part(study, "figures", "charts")(made, None)
    for stem, chart in charts.items():
        pictures.write(chart, folder / "pictures", stem)
    verdicts = made["claims"].verdict.value_counts().to_dict() if "claims" in made else {}
    summary = {"title": title, "audit": study == "audit", "verdicts": verdicts, "pictures": list(charts)}
    summary |= {"question": part(study, "findings", "QUESTION"), "findings": part(study, "findings", "findings")(made)}
    summary |= {"corpus": "clips", "clips_measured": 60, "built_in": True}
    summary |= {"metrics": {"unreadable_clips": 0}, "meanings": {"unreadable_clips": "which no table counts"}}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "environment.json").write_text((REPORTS / study / "environment.json").read_text())
    drawn = {file: told for file, told in figures.items() if file in charts}
    page.write_study(folder, summary, note=note, tables=tables, figures=drawn)


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture
def opened(browser, reports):
    """Opens a page; afterwards nothing is to have been told by the console and no request to have left the disk."""
    shown, told = [], []

    def open_page(name: str, **context):
        shown.append(browser.new_page(**context))
        told.append(watched(shown[-1]))
        shown[-1].goto((reports / name).as_uri())
        return shown[-1]

    yield open_page
    for one in shown:
        one.close()
    assert told == [[]] * len(shown)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_page(opened, name):
    shown = opened(name)
    for width in (400, 900, 1600):
        shown.set_viewport_size({"width": width, "height": 900})
        assert shown.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_paper(opened, name):
    shown = opened(name, viewport={"width": PAPER_PX, "height": 900})
    shown.emulate_media(media="print")
    assert shown.evaluate("document.documentElement.scrollWidth") == PAPER_PX


def test_when_and_by_what_it_was_made_is_told_where_it_is_asked_for(opened):
    shown = opened("index.html")
    told = shown.frame_locator(".made iframe >> nth=0").locator("body")
    assert not shown.locator(".made iframe").first.is_visible()
    shown.locator(".made summary").first.press("Enter")
    assert '"commit"' in told.inner_text() and '"processor"' in told.inner_text()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation(opened, name):
    """The themes differ in their colours alone."""
    assert violations(opened(name, color_scheme="light"), "html") == []
    assert violations(opened(name, color_scheme="dark"), "html", runOnly=["color-contrast"]) == []


def test_every_chart_is_shown_once(reports):
    for study in STUDIES:
        charts = json.loads((reports / study / "summary.json").read_text())["pictures"]
        assert (reports / study / "index.html").read_text().count("<svg ") == len(charts)


@pytest.mark.parametrize("study", STUDIES)
def test_dvc_plots_shows_all_pictures_of_the_page(reports, study):
    folder = TOP / "stages/studies" / study / "plots"
    listed = yaml.safe_load((folder / "dvc.yaml").read_text())["plots"]
    charts = json.loads((reports / study / "summary.json").read_text())["pictures"]
    pixels = [file for file in part(study, "tables", "FIGURES") if file.endswith(".png")]
    up = f"../../../../reports/{study}"
    assert listed == [
        *(
            {f"{up}/plots/{stem}.csv": {"template": f"reports/{study}/plots/{stem}.json", "y": "value"}}
            for stem in charts
        ),
        *(f"{up}/pictures/{file}" for file in pixels),
    ]
    assert (folder / up).resolve() == REPORTS / study


def _column(shown, table: str, number: int) -> list[str]:
    return [text.split()[0] for text in shown.locator(f"#{table} tbody tr > :nth-child({number})").all_inner_texts()]


def _until_ordered(shown, table: str, number: int, values: list[float]) -> None:
    """Waits until a column shows these numbers; on a busy machine that takes a moment."""
    there = """([cells, values]) =>
        [...document.querySelectorAll(cells)].map(cell => parseFloat(cell.innerText)).join() === values.join()"""
    shown.wait_for_function(there, arg=[f"#{table} tbody tr > :nth-child({number})", values])


def test_a_table_is_sorted_by_number_by_mouse_and_by_key(opened):
    shown = opened("events/index.html")
    before = [float(text) for text in _column(shown, "table_3", 3)]
    assert before != sorted(before)
    shown.locator("#table_3 thead th").nth(2).click()
    _until_ordered(shown, "table_3", 3, sorted(before))
    shown.locator("#table_3 thead th").nth(2).get_by_role("button").press("Enter")
    _until_ordered(shown, "table_3", 3, sorted(before, reverse=True))
    assert shown.locator("#table_3 thead th").nth(2).get_attribute("aria-sort") == "descending"
    assert _column(shown, "table_2", 1)[0] == "none"


def test_a_table_is_filtered_by_what_is_typed(opened):
    shown = opened("events/index.html")
    shown.locator("#table_3-filter").fill("mp3")
    assert _column(shown, "table_3", 1) == ["MP3"] * 3
    assert shown.locator("#table_3-found").inner_text() == "3 of 5"
    shown.locator("#table_3-filter").fill("")
    assert len(_column(shown, "table_3", 1)) == 5
    assert shown.locator("#table_3-found").inner_text() == ""


def test_nothing_moves_while_a_page_opens(opened):
    moved = """new Promise(done => new PerformanceObserver(
        list => done(list.getEntries().map(entry => entry.value))).observe({type: "layout-shift", buffered: true}))"""
    for name in PAGES:
        shown = opened(name)
        assert shown.evaluate(f"Promise.race([{moved}, new Promise(done => setTimeout(done, 300, []))])") == []


def test_heads_stay_where_a_long_table_is_scrolled(opened):
    shown = opened("audit/index.html", viewport={"width": 900, "height": 300})
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
