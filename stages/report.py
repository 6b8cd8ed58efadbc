"""Verb: a study's scores to its tables, figures, claims and page: `python -m stages.report STUDY`; and the list of all
studies' pages: `python -m stages.report index STUDY...`.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table, environment, parameters
from stages.frame.errors import run, writing
from stages.reporting import page, pictures
from stages.reporting.names import name
from stages.reporting.study import beyond, has, on_the_papers, papers_alone, part, without_paper
from stages.reporting.verdicts import VERDICTS

REPORTS = Path("reports")
# The table of what params.yaml names beyond the paper, and its title.
YOURS = "table_yours"
TITLE_OF_YOURS = "Yours. What params.yaml names besides the paper's entries"

# The end of the names of figures that are pixels; others are charts.
PIXELS = ".png"
# Headline numbers that every study has.
COUNTED = {"claims_supported": "of the paper's claims", "unreadable_clips": "which no table counts"}


def main(study: str, *studies: str) -> None:
    """Writes `reports/<study>`: what the folder `stages/studies/<study>` makes of the scores that it reads.

    With `index` in the place of a study `reports/index.html`, from the summaries of the studies that follow.
    """
    print(page.write_index(REPORTS, studies) if study == "index" else _report(study))


def _report(study: str) -> Path:
    """Writes what is known of the study; the path of its page."""
    read, values = part(study, "tables", "read"), parameters.section(study)
    measured = read(papers_alone(values, part(study, "tables", "PAPERS")))
    return write(study, values, measured, REPORTS / study)


def write(study: str, values: dict[str, Any], measured: Any, folder: Path) -> Path:
    """Writes tables, pictures, headline numbers and page of what was measured, `values` being the study's parameters.

    The path of the page.
    """
    of_tables = partial(part, study, "tables")
    corpora = _corpora(study, values)
    clips = _clips(corpora)
    unreadable = clips.loc[clips.problem != "", ["clip_id", "file", "problem"]]
    made = of_tables("tables")(measured)
    if not on_the_papers(corpora, of_tables("READERS")):
        made = without_paper(made)
    own = beyond(values, of_tables("PAPERS"))
    yours = of_tables("yours")(values, own) if own else pd.DataFrame(columns=["entry"])
    made |= {"unreadable": unreadable, YOURS: yours}
    verdicts = list(made["claims"].verdict) if "claims" in made else []
    counted = {"claims_supported": verdicts.count("supported"), "unreadable_clips": len(unreadable)}
    metrics = of_tables("metrics")(made) | counted
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for file, table in made.items():
            table.to_csv(folder / f"{file}.csv", index=False)
        drawn = _draw(study, made, measured, folder / "pictures")
        summary = {"title": of_tables("TITLE"), "audit": "corpora" not in values} | _found(study, made)
        summary |= _corpus(corpora) | {"clips_measured": len(clips) - len(unreadable), "pictures": drawn}
        summary |= {"metrics": metrics, "meanings": of_tables("HEADLINES") | COUNTED}
        summary["verdicts"] = {verdict: verdicts.count(verdict) for verdict in VERDICTS if verdict in verdicts}
        _write(folder / "metrics.json", metrics)
        _write(folder / "summary.json", summary)
        titles = ({YOURS: TITLE_OF_YOURS} if len(yours) else {}) | of_tables("TABLES")
        figures = {file: told for file, told in of_tables("FIGURES").items() if file in drawn or file.endswith(PIXELS)}
        written = page.write_study(folder, summary, note=of_tables("NOTE"), tables=titles, figures=figures)
        environment.record(folder)
    return written


def _draw(study: str, made: dict[str, pd.DataFrame], measured: Any, folder: Path) -> list[str]:
    """Writes the charts, the first one also for READMEs, and the study's pictures of pixels; the charts' names.

    What stands in those of pixels is text, and a dollar sign in a name begins no formula.
    """
    from matplotlib import rc_context

    charts = part(study, "figures", "charts")(made, measured) if has(study, "figures") else {}
    for stem, chart in charts.items():
        pictures.write(chart, folder, stem)
    for chart in list(charts.values())[:1]:
        pictures.write_png(chart, folder.with_name("answer.png"))
    if any(file.endswith(PIXELS) for file in part(study, "tables", "FIGURES")):
        with rc_context({"text.parse_math": False}):
            part(study, "figures", "draw")(made, measured, folder)
    return list(charts)


def _found(study: str, made: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """The question, and what was found, the first sentence being the answer; nothing of a study that tells neither."""
    if not has(study, "findings"):
        return {"question": "", "findings": []}
    return {"question": part(study, "findings", "QUESTION"), "findings": part(study, "findings", "findings")(made)}


def _corpora(study: str, values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """What was measured on, by study and name; of an audit, which has none, what the studies have that it audits."""
    if "corpora" in values:
        return {(study, name): corpus for name, corpus in values["corpora"].items()}
    audited = part(study, "tables", "studies")(values)
    return {(of, name): corpus for of in audited for name, corpus in parameters.section(f"{of}.corpora").items()}


def _clips(corpora: dict[tuple[str, str], Any]) -> pd.DataFrame:
    """The corpora's clips, also those that no table counts, with what is wrong with them."""
    return pd.concat([clip_table.read(Path("data", study, name, "clips.csv")) for study, name in corpora])


def _corpus(corpora: dict[str, Any]) -> dict[str, Any]:
    """What was measured on, in words, and whether all or part of it is built in."""
    told = " and ".join(f"{name(corpus['reader'])} at {corpus['root']}" for corpus in corpora.values())
    built_in = any(str(corpus["root"]).startswith("data/embedded/") for corpus in corpora.values())
    return {"corpus": told, "built_in": built_in}


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
