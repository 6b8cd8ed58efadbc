"""A chart as files: the same bytes, text that stays text, readable on white and black, and what `dvc plots` shows."""

import json
from xml.etree import ElementTree

import clones
import numpy as np
import pandas as pd
import pytest

from stages.reporting import charts, pictures

HOSTILE = "/../:<b>&\"'\n$x_{$ %41#?,é\\"
SHOWN = "reports/x/plots/x.csv"
TABLE = pd.DataFrame(
    {"row": [HOSTILE, "b\x01\x7f\x85\u2028\r\t\x1b\ufffe"], "x": [0.5, 0.25], "x_low": [0.4, 0.2], "x_high": [0.6, 0.3]}
)


def chart(table=TABLE, title=HOSTILE):
    data = charts.long(table, {"x": "a", "x_low": "b"}, row="row", panel="row")
    return charts.values(data, title=title, axis="share", domain=[0, 1])


def parsed(folder):
    return ElementTree.fromstring((folder / "pictures/x.svg").read_text())  # noqa: S314 (our own)


@pytest.fixture
def written(tmp_path):
    pictures.write(chart(), tmp_path / "events/pictures", "x")
    return tmp_path / "events"


def test_the_same_chart_has_the_same_bytes(written, tmp_path):
    pictures.write(chart(), tmp_path / "again/events/pictures", "x")
    for file in ("pictures/x.svg", "plots/x.json", "plots/x.csv"):
        assert (written / file).read_bytes() == (tmp_path / "again/events" / file).read_bytes()


def test_names_from_data_stay_text_and_nothing_leads_out(written):
    text = (written / "pictures/x.svg").read_text()
    root = parsed(written)
    assert not {one.tag.split("}")[1] for one in root.iter()} & {
        "b",
        "script",
        "style",
        "image",
        "a",
        "use",
        "foreignObject",
    }
    assert text.replace("http://www.w3.org/", "").count("http") == 0
    assert root.get("role") == "img" and [one.tag.split("}")[1] for one in root[:2]] == ["title", "desc"]
    assert HOSTILE.split("\n")[0] in root[0].text and HOSTILE.split("\n")[0] in root[1].text
    assert "\x01" not in text


def test_ids_are_of_the_study_and_the_picture(written):
    root = parsed(written)
    assert all(one.get("id", "events-x-").startswith("events-x-") for one in root.iter())


def test_text_has_the_colour_of_what_stands_around_it(written):
    root = parsed(written)
    texts = list(root.iter(f"{{{pictures.SVG}}}text"))
    assert texts and {one.get("fill") for one in texts} == {"currentColor"}


@pytest.mark.parametrize("ground", ["#FFFFFF", "#121212"])
def test_colours_of_series_are_seen_on_white_and_on_black(ground):
    """By the contrast of WCAG 2: 3 to 1 for what is no text."""
    other = luminance(ground) + 0.05
    for colour in charts.COLOURS:
        own = luminance(colour) + 0.05
        assert max(own, other) / min(own, other) >= 3, colour


def luminance(colour: str) -> float:
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_picture_of_a_readme_is_small_and_on_white(tmp_path):
    from PIL import Image

    pictures.write_png(chart(), tmp_path / "answer.png")
    assert (tmp_path / "answer.png").stat().st_size < 60_000
    image = np.asarray(Image.open(tmp_path / "answer.png").convert("RGB"))
    assert (image[0, 0] == 255).all() and (image == 0).all(axis=-1).any()


def test_dvc_shows_the_same_picture_and_revisions_side_by_side(tmp_path):
    """As a study's list of its pictures asks for it, from a folder below the top."""
    listed, folder = tmp_path / "stages/studies/x/plots", tmp_path / "reports/x/pictures"
    listed.mkdir(parents=True)
    plot = "../../../../reports/x/plots/x.csv: {template: reports/x/plots/x.json, y: value}"
    (listed / "dvc.yaml").write_text(f"plots:\n  - {plot}\n")

    def shown(*command: str) -> dict:
        (one,) = json.loads(clones.run(tmp_path, "dvc", "plots", *command, "--json").stdout)["data"][SHOWN]
        return one["content"]

    pictures.write(chart(), folder, "x")
    clones.repository(tmp_path)
    clones.commit(tmp_path)
    pictures.write(chart(TABLE.assign(x=[0.75, 0.5])), folder, "x")
    now = shown("show")
    assert now["spec"]["layer"] == chart().to_dict()["spec"]["layer"]
    assert [float(row["value"]) for row in now["data"]["values"]] == [0.75, 0.5, 0.4, 0.2]
    drawn = shown("diff", "HEAD")
    values = {(row["rev"], float(row["value"])) for row in drawn["data"]["values"] if row["series"] == "a"}
    assert values == {("HEAD", 0.5), ("HEAD", 0.25), ("workspace", 0.75), ("workspace", 0.5)}
    assert drawn["facet"]["column"]["field"] == "rev" and drawn["facet"]["row"]["field"] == "panel"
