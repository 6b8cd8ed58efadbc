"""A study's pictures as a report writes them, for tests of what they are drawn from; and none of them drawn twice."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import vl_convert

from stages.reporting import pictures


@functools.cache
def once(name: str) -> Callable[..., Any]:
    """The function of this name by which charts are drawn, but for the same chart the same picture."""
    draw, drawn = getattr(vl_convert, name), {}

    def picture(chart: dict[str, Any], **how: Any) -> Any:
        key = json.dumps([chart, how])
        if key not in drawn:
            drawn[key] = draw(chart, **how)
        return drawn[key]

    return picture


def stems(figures: Any, made: dict[str, pd.DataFrame], measured: Any, folder: Path) -> set[str]:
    """Writes all charts of the module `figures` into the folder, each with its template and data; their names."""
    charts = figures.charts(made, measured)
    for stem, chart in charts.items():
        pictures.write(chart, folder, stem)
    assert {path.stem for path in folder.iterdir()} == set(charts)
    return set(charts)
