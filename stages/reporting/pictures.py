"""Room of reporting: a chart as files, for the page, for `dvc plots`, and for a README.

Text and axes have the colour of the text around them, so that a picture is read on white and on black; nothing in it
refers to a font, a file or a network.
"""

import io
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd

SVG = "http://www.w3.org/2000/svg"
# The versions of Vega-Lite and of the measured font, so that the same chart has the same bytes everywhere.
VEGA_LITE = "v6.4"
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
TEXT = "currentColor"
# Columns that are numbers: a csv, of which `dvc plots` reads text, does not say so.
NUMBERS = ("x", "value", "low", "high", "paper")
# What a name in a corpus might hold, but neither XML nor the expressions of Vega-Lite.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
PNG_SCALE, PNG_COLOURS = 1.5, 32


def write(chart: Any, folder: Path, stem: str) -> None:
    """Writes an altair chart of one table as `<stem>.svg`, and beside the folder as `plots/<stem>.json` and `.csv`.

    The title of the picture is the chart's, its description the chart's. What lies in `plots` is for `dvc plots`: the
    chart's table and a template, which has a column of pictures for each revision.
    """
    spec, plots = _styled(chart), folder.with_name("plots")
    for one in (folder, plots):
        one.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.svg").write_text(_svg(spec, f"{folder.parent.name}-{stem}-"), encoding="utf-8")
    template = json.dumps(_template(spec), indent=1, allow_nan=False)
    (plots / f"{stem}.json").write_text(template + "\n", encoding="utf-8")
    pd.DataFrame(spec["data"]["values"], columns=list(chart.data)).to_csv(plots / f"{stem}.csv", index=False)


def write_png(chart: Any, path: Path) -> None:
    """Writes the chart on white, which both themes of a code host show as it is, in so few colours that it is small."""
    import vl_convert
    from PIL import Image

    spec = json.loads(json.dumps(_styled(chart)).replace(f'"{TEXT}"', '"black"'))
    spec["config"] |= {"background": "white", "padding": 10}
    drawn = vl_convert.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=PNG_SCALE)
    Image.open(io.BytesIO(drawn)).convert("RGB").quantize(PNG_COLOURS).save(path, optimize=True)


def _styled(chart: Any) -> dict[str, Any]:
    """The chart's specification, with its table as its only data and the style of all pictures."""
    spec = _printable(chart.to_dict())
    (values,) = spec.pop("datasets").values()
    lines = {f"{part}Color": TEXT for part in ("domain", "tick", "grid", "label", "title")}
    texts = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    spec["data"] = {"values": values}
    spec["config"] = {
        "font": FONT,
        "background": "transparent",
        "view": {"stroke": None},
        "axis": lines | texts | {"gridOpacity": 0.15, "labelLimit": 170},
        "header": {"labelColor": TEXT, "labelFontSize": 12, "labelFontWeight": "bold", "labelLimit": 400},
        "legend": {
            **{
                "labelColor": TEXT,
                "labelFontSize": 12,
                "labelLimit": 360,
                "symbolStrokeColor": TEXT,
                "symbolFillColor": TEXT,
            },
            **{"orient": "top", "title": None, "offset": 9, "rowPadding": 1, "symbolSize": 70},
            **{"symbolOpacity": 1, "layout": {"top": {"anchor": "start", "direction": "vertical"}}},
        },
        "text": {"color": TEXT, "fontSize": 12},
        "title": {"color": TEXT, "fontSize": 14, "anchor": "start", "frame": "bounds", "offset": 8},
    }
    return spec


def _printable(value: Any) -> Any:
    """The specification without what would end the process that draws it."""
    if isinstance(value, dict):
        return {key: _printable(own) for key, own in value.items()}
    if isinstance(value, list):
        return [_printable(own) for own in value]
    return UNPRINTABLE.sub("\ufffd", value) if isinstance(value, str) else value


def _template(spec: dict[str, Any]) -> dict[str, Any]:
    """The specification as `dvc plots` fills it, with the pictures of several revisions side by side."""
    around = {key: spec[key] for key in ("$schema", "config", "title", "description")}
    picture = {key: value for key, value in spec.items() if key not in (*around, "data", "facet", "resolve", "spec")}
    revisions = {"column": {"field": "rev", "type": "nominal", "title": None}}
    parse = dict.fromkeys(NUMBERS, "number")
    return around | {
        "data": {"values": "<DVC_METRIC_DATA>", "format": {"type": "json", "parse": parse}},
        "facet": spec.get("facet", {}) | revisions,
        "spec": spec.get("spec", picture),
        "resolve": spec.get("resolve", {}),
    }


def _svg(spec: dict[str, Any], prefix: str) -> str:
    """The picture as text of an SVG that may stand in a page beside others: its ids begin with the prefix.

    To those who hear it read it is one picture with one text: what its parts are called is left out.
    """
    import vl_convert

    ElementTree.register_namespace("", SVG)
    drawn = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)
    root = ElementTree.fromstring(drawn)  # noqa: S314 (drawn a line above)
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "role" or name.startswith("aria-"):
                del element.attrib[name]
            else:
                element.set(name, f"{prefix}{value}" if name == "id" else value.replace("url(#", f"url(#{prefix}"))
    root.attrib |= {"role": "img", "class": "picture", "style": "max-width:100%;height:auto"}
    for place, (tag, text) in enumerate((("title", " ".join(spec["title"]["text"])), ("desc", spec["description"]))):
        told = ElementTree.Element(f"{{{SVG}}}{tag}")
        told.text = text
        root.insert(place, told)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
