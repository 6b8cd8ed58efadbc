"""A study's pictures as a report writes them, for tests of what they are drawn from."""

from pathlib import Path
from typing import Any

import pandas as pd

from stages.reporting import pictures


def stems(figures: Any, made: dict[str, pd.DataFrame], measured: Any, folder: Path) -> set[str]:
    """Writes all charts of the module `figures` into the folder, each with its template and data; their names."""
    charts = figures.charts(made, measured)
    for stem, chart in charts.items():
        pictures.write(chart, folder, stem)
    assert {path.stem for path in folder.iterdir()} == set(charts)
    return set(charts)
