"""Room of reporting: the kinds of picture that all studies share: values in rows, curves, shares of decisions.

Each is drawn from one table in long form, see `long`, to be read at the width of a telephone.
"""

import textwrap
from collections.abc import Iterable
from typing import Any

import pandas as pd

from stages.reporting.names import name
from stages.reporting.rounding import rounded

# Each at a contrast of at least 3 to 1 on white and on near black, told apart also by the colour-blind (after Okabe and
# Ito, "Color universal design", 2008; the purple and the grey darker).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B5568F", "#7A7A7A", "#B07D00")
TEXT = "currentColor"
HERE, WITH_INTERVAL, PAPER = "here", "here, with its 95 % interval", "the paper"
# The paper's is a diamond with a hole, in which what is measured here is seen.
DIAMOND = "M0,-1.4L1.4,0L0,1.4L-1.4,0ZM0,-.9L-.9,0L0,.9L.9,0Z"
SHAPES = {HERE: "circle", WITH_INTERVAL: "circle", PAPER: DIAMOND}
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 4]]
MEASURED = "isValid(datum.value)"
# Of a picture, in pixels: its width, what a letter and a line take, what labels and numbers beside the plot may take.
WIDTH, LETTER, LINE, LABELS, NUMBERS = 440, 6.4, 15, 170, 40
LINE_LETTERS = 60
# The look of an axis of per cent.
PER_CENT = {"domain": [0, 100]}
KEYS = ("panel", "row", "series")
COLUMNS = (*KEYS, "x", "value", "low", "high", "paper")


def long(
    table: pd.DataFrame,
    columns: dict[str, str],
    *,
    row: str | tuple[str, ...] = (),
    panel: str | tuple[str, ...] = (),
    x: str | None = None,
    scale: float = 1.0,
) -> pd.DataFrame:
    """One row for each row of a study's table and each of the `columns`, which are called as `columns` says (series).

    `row`, `panel` and `x` are the table's columns that tell, as names, what is in which row and picture, and where on
    the x axis. Values, their intervals' ends and the paper's values are multiplied by `scale`. What has neither a value
    nor the paper's is left out.
    """
    parts = []
    for column, series in columns.items():
        part: dict[str, object] = {"series": series} | ({"x": table[x]} if x is not None else {})
        part |= {key: _named(table, of) for key, of in (("row", row), ("panel", panel)) if of}
        for key, end in (("value", ""), ("low", "_low"), ("high", "_high"), ("paper", "_paper")):
            part[key] = scale * table[f"{column}{end}"].astype(float) if f"{column}{end}" in table else float("nan")
        parts.append(pd.DataFrame(part, index=table.index))
    made = pd.concat(parts, ignore_index=True).dropna(subset=["value", "paper"], how="all")
    return made.reindex(columns=COLUMNS).reset_index(drop=True)


def _named(table: pd.DataFrame, columns: str | tuple[str, ...]) -> pd.Series:
    """The names of each row's keys, one after the other, without those that are empty."""
    columns = [columns] if isinstance(columns, str) else list(columns)
    names = [
        ", ".join(filter(None, (str(name(key)) for key in keys))) for keys in table[columns].itertuples(index=False)
    ]
    return pd.Series(names, index=table.index, dtype=str)


def values(data: pd.DataFrame, *, title: str, axis: str, **look: Any) -> Any:
    """Values in rows, each with its interval, its number and the paper's value; one colour a series.

    Its description tells the title and the lowest and highest value of each series. `look` may have the ends of the
    axis, `domain`, of numbers the `format`, and what panels have of their `own`: "x", "y".
    """
    import altair as alt

    form = look.get("format", ".0f")
    data = _numbered(data.assign(row=data.row.map(_wrapped)), form)
    several, width = _series(data), _width(data.row)
    x_scale = alt.Scale(domain=look["domain"]) if "domain" in look else alt.Scale(zero=False, nice=True)
    x = alt.X("value:Q", title=axis, axis=alt.Axis(tickCount=5), scale=x_scale)
    numbers = {"x": alt.value(width + 8), "text": "number:N", "color": alt.value(TEXT)}
    here = WITH_INTERVAL if data.low.notna().any() else HERE
    shapes = [here, PAPER] if data.paper.notna().any() else [here]
    layers = [
        alt.Chart().mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=axis), x2="high:Q"),
        _points(here, shapes, width).encode(x=x),
        alt.Chart().mark_text(align="left", fontSize=11).encode(**numbers),
    ]
    if PAPER in shapes:
        layers.append(_points(PAPER, shapes, width).encode(x="paper:Q", color=alt.value(TEXT)))
    lines = alt.Axis(ticks=False, domain=False, labelPadding=6, labelExpr="split(datum.label, '\\n')")
    shared = {"y": alt.Y("row:N", sort=None, title=None, axis=lines), "color": _colour(several, width)}
    if len(several) > 1:
        shared["yOffset"] = alt.YOffset("series:N", sort=several)
    height = max(15 * len(several), 7 + LINE * (1 + max(data.row.str.count("\n"), default=0)))
    chart = alt.layer(*layers).encode(**shared).properties(width=width, height=alt.Step(height / len(several)))
    told = extremes(data, "row", form)
    return _finished(chart, data, title, f"{title}. {axis}: {told}", own=look.get("own", ""))


def curves(data: pd.DataFrame, *, title: str, x_axis: str, y_axis: str, **look: Any) -> Any:
    """A line for each series with its interval as a band, and the paper's values.

    `look` may have `steps`, for shares that change at values of x alone, `log`, `reverse`, and the y axis' `domain`.
    """
    import altair as alt

    several = _series(data)
    x_scale = alt.Scale(type="log" if look.get("log") else "linear", reverse=look.get("reverse", False), zero=False)
    y_scale = alt.Scale(domain=look["domain"]) if "domain" in look else alt.Scale(zero=True)
    y = alt.Y("value:Q", title=y_axis, scale=y_scale, axis=alt.Axis(tickCount=5))
    bend = "step-after" if look.get("steps") else "linear"
    dashed = alt.StrokeDash("series:N", scale=alt.Scale(domain=several, range=DASHES[: len(several)]), sort=several)
    layers = [alt.Chart().mark_line(interpolate=bend, strokeWidth=2).encode(y=y, strokeDash=dashed)]
    if data.low.notna().any():
        band = alt.Chart().mark_area(interpolate=bend, opacity=0.18)
        layers.insert(0, band.encode(y=alt.Y("low:Q", title=y_axis), y2="high:Q"))
    if not look.get("steps"):
        layers.append(alt.Chart().mark_point(filled=True, opacity=1, size=40).encode(y=y))
    layers = [layer.transform_filter(MEASURED) for layer in layers]
    if data.paper.notna().any():
        layers.append(_points(PAPER, [PAPER], WIDTH).encode(y="paper:Q"))
    x = alt.X("x:Q", title=x_axis, scale=x_scale, axis=alt.Axis(grid=False, tickCount=6))
    chart = alt.layer(*layers).encode(x=x, color=_colour(several, WIDTH, symbolType="stroke"))
    chart = chart.properties(width=WIDTH - NUMBERS, height=200 if data.panel.isna().all() else 130)
    told = extremes(data.assign(row=data.x.map("at {:g}".format)), "row", look.get("format", ".0f"))
    return _finished(chart, data, title, f"{title}. {y_axis}, by {x_axis}: {told}")


def decisions(data: pd.DataFrame, *, title: str, labels: list[str]) -> Any:
    """Squares as dark as the share (`value`, per cent) of clips of the class in a row that are decided as `series`."""
    import altair as alt

    data = _numbered(data, ".0f")
    side = min(300, 44 * len(labels))
    on_axes = {"sort": labels, "scale": alt.Scale(domain=labels)}
    few, short = len(labels) <= 8, max(map(len, labels), default=0) <= 8
    base = alt.Chart().encode(
        x=alt.X(
            "series:N", title="decided", axis=alt.Axis(labelAngle=0 if few and short else -90, grid=False), **on_axes
        ),
        y=alt.Y("row:N", title="true", axis=alt.Axis(grid=False), **on_axes),
    )
    shade = alt.Scale(domain=[0, 100], range=[0, 1])
    layers = [base.mark_rect(color=COLOURS[0]).encode(opacity=alt.Opacity("value:Q", scale=shade, legend=None))]
    if few:
        layers.append(base.mark_text().encode(text="number:N", color=_legible()))
    right = data[data.row == data.series]
    told = extremes(right.assign(series="right"), "row", ".0f")
    chart = alt.layer(*layers).properties(width=side, height=side * 0.8)
    return _finished(chart, data, title, f"{title}. % of a class: {told}")


def _legible() -> Any:
    """White on dark squares, the colour of other text on light ones."""
    import altair as alt

    return alt.condition("datum.value > 50", alt.value("white"), alt.value(TEXT))


def _numbered(data: pd.DataFrame, form: str) -> pd.DataFrame:
    """With the values as they are written, as texts: Vega-Lite would round halves otherwise than sentences do."""
    return data.assign(number=[rounded(value, form) if pd.notna(value) else "" for value in data.value])


def extremes(data: pd.DataFrame, told_of: str, form: str) -> str:
    """From which to which value each series goes, with intervals and the paper's values."""
    measured = data.dropna(subset="value")
    where = measured.panel.astype(str) + ", " + measured[told_of] if measured.panel.notna().any() else measured[told_of]
    parts = []
    for series, own in measured.groupby("series", sort=False):
        ends = dict.fromkeys([own.value.idxmin(), own.value.idxmax()])
        told = " to ".join(f"{_with_interval(own.loc[end], form)} ({where[end]})".replace("\n", " ") for end in ends)
        parts.append(f"{series} {told}".strip())
    return "; ".join(parts) + "." if parts else "nothing was measured."


def _with_interval(row: pd.Series, form: str) -> str:
    interval = f", interval {rounded(row.low, form)} to {rounded(row.high, form)}" if pd.notna(row.low) else ""
    paper = f", the paper {rounded(row.paper, form)}" if pd.notna(row.paper) else ""
    return f"{rounded(row.value, form)}{interval}{paper}"


def _finished(chart: Any, data: pd.DataFrame, title: str, description: str, *, own: str = "") -> Any:
    """The chart of the table, one below the other for each panel, with its title in lines."""
    import altair as alt

    used = data.dropna(axis="columns", how="all")
    if "panel" in used:
        header = alt.Header(labelOrient="top", labelAnchor="start", labelAngle=0, title=None, labelPadding=2)
        chart = chart.facet(
            data=used, row=alt.Row("panel:N", sort=list(dict.fromkeys(used.panel)), header=header), spacing=14
        )
        chart = chart.resolve_scale(**dict.fromkeys(own, "independent")) if own else chart
    else:
        chart.data = used
    lines = textwrap.wrap(title[:1].upper() + title[1:] if len(data) else "Nothing was measured", LINE_LETTERS)
    return chart.properties(title=alt.TitleParams(lines), description=description)


def _points(kind: str, kinds: list[str], width: float) -> Any:
    """Points in the shape of their kind, of which the legend tells unless all that it could say is that they are."""
    import altair as alt

    scale = alt.Scale(domain=kinds, range=[SHAPES[kind] for kind in kinds])
    shape = alt.Shape("kind:N", scale=scale, legend=None if kinds == [HERE] else _legend(kinds, width))
    points = alt.Chart().mark_point(filled=True, opacity=1, size=60).encode(shape=shape)
    return points.transform_calculate(kind=f"'{kind}'")


def _series(data: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(data.series)) or [""]


def _colour(several: list[str], width: float, **look: Any) -> Any:
    """One colour a series, with a legend where there are several."""
    import altair as alt

    legend = _legend(several, width, **look) if len(several) > 1 else None
    scale = alt.Scale(domain=several, range=list(COLOURS[: len(several)]))
    return alt.Color("series:N", sort=several, scale=scale, legend=legend)


def _legend(texts: list[str], width: float, **look: Any) -> Any:
    """Beside each other where there is room above the plot, else below each other."""
    import altair as alt

    fit = sum(LETTER * len(text) + 30 for text in texts) < width + NUMBERS
    return alt.Legend(columns=0 if fit else 1, **look)


def _wrapped(label: str) -> str:
    """The label in lines that fit beside a plot, and not more than three."""
    return "\n".join(textwrap.wrap(label, int(LABELS / LETTER), max_lines=3, placeholder=" …")) or " "


def _width(labels: Iterable[str]) -> float:
    """What is left for the plot beside the longest line of its labels and its numbers, in pixels."""
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    return round(WIDTH - NUMBERS - min(LABELS, LETTER * longest))
