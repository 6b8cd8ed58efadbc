"""What a whole run leaves, and what users are told when they run it again, wrongly, or twice at once."""

import fcntl
import json
import os
import re
import sys
from pathlib import Path

import clones
import pandas as pd
import pytest
from test_graph import STUDIES

from stages.frame import parameters
from stages.frame.alone import alone
from stages.frame.errors import UserError
from stages.tools import graph, reproduce

TABLES = {
    "events": [*(f"table_{n}.csv" for n in range(1, 6)), "table_attacks.csv", "figure_1.csv"],
    "emotion": [
        *(f"table_{n}.csv" for n in ("1", "2", "3", "robustness", "given_back", "z", "inversion")),
        *("figure_2.csv", "pictures/figure_2.png", "figure_3.csv"),
    ],
    "transfer": [
        *(f"table_{n}.csv" for n in ("1", "2", "corpus", "less_data", "paired", "folds", "confusion", "attacks")),
        *("table_text_robustness.csv", "figure_2.csv"),
    ],
    "audiovisual": [
        *(f"table_{n}.csv" for n in ("corpora", "recognisers", "synchrony", "1", "2", "3", "4", "controls", "benign")),
        *("table_epsilon.csv", "figure_1d.csv", "pictures/figure_2.png"),
    ],
    "speech": [
        *(f"table_{n}.csv" for n in ("corpora", "recognisers", "levels", "1", "2", "3", "4", "4_hardened", "transfer")),
        *("table_attacks.csv", "table_magnitude.csv", "pictures/figure_2.png", "figure_3.csv"),
    ],
    "audit": [
        *("cells.csv", "table_defences.csv", "table_victims.csv", "table_guards.csv", "table_papers.csv"),
        *(f"pictures/figure_{study}.svg" for study in ("events", "emotion", "transfer")),
    ],
}
EVERYWHERE = [
    *("metrics.json", "summary.json", "environment.json", "claims.csv", "unreadable.csv", "index.html"),
    "answer.png",
]
# Nothing of the audit can be heard.
UNHEARD = "listening/listening.csv"


@pytest.mark.parametrize("study", TABLES)
def test_every_table_and_figure_is_there(smoke, study):
    folder = smoke / "reports" / study
    for name in [*TABLES[study], *EVERYWHERE, "listening/listening.csv"]:
        assert (study == "audit" and name == UNHEARD) or (folder / name).stat().st_size, name
    assert set(TABLES) == set(STUDIES)


def test_shares_come_with_intervals_and_the_papers_own(smoke):
    header = pd.read_csv(smoke / "reports/events/table_3.csv").columns
    assert {"treatment", "GT", "GT_low", "GT_high", "GT_paper", "n"} <= set(header)


def test_pages_need_no_network_and_lead_to_what_is_there(smoke):
    for page in [smoke / "reports/index.html", *(smoke / f"reports/{study}/index.html" for study in STUDIES)]:
        text = page.read_text().partition("<script>")[0]
        assert "default-src 'none'" in text
        references = [part.split('"')[0] for part in re.split('src="|href="(?!#)', text)[1:]]
        assert references
        for reference in references:
            assert (page.parent / reference).is_file(), reference


def test_nothing_runs_again_when_nothing_changed(smoke, monkeypatch):
    monkeypatch.chdir(smoke)
    assert graph.outdated(["index"], parameters.read()) == {}
    told = clones.reproduce(smoke).stdout
    assert " stages; " not in told and " done in " not in told
    for study in STUDIES:
        metrics = json.loads((smoke / "reports" / study / "metrics.json").read_text())
        assert len(metrics) <= 12 and all(name in told for name in metrics), study
    assert "index.html" in told


def test_metrics_and_plots_of_all_studies_are_shown_at_the_top(smoke):
    shown = json.loads(clones.dvc(smoke, "metrics", "show", "--json"))[""]["data"]
    assert set(shown) == {f"reports/{study}/metrics.json" for study in STUDIES}
    lines = clones.dvc(smoke, "metrics", "show").splitlines()
    assert len(lines) == 1 + len(STUDIES) and max(map(len, lines)) <= 200
    told = clones.run(smoke, "dvc", "stage", "list", "--all", "--name-only").stdout
    assert "stages/studies/events/dvc.yaml:train@vgg13" in told


def test_a_clone_with_what_it_pulls_is_whole(smoke, tmp_path):
    """What a run makes is in git or in the cache, which lies as a remote's files do."""
    clones.run(tmp_path, "git", "clone", "-q", str(smoke), "clone")
    clones.run(tmp_path / "clone", "dvc", "remote", "add", "--local", "-d", "made", str(smoke / ".dvc/cache"))
    clones.dvc(tmp_path / "clone", "pull", "-q")
    assert clones.dvc(tmp_path / "clone", "status") == "Data and pipelines are up to date.\n"
    clones.dvc(tmp_path / "clone", "plots", "diff", "HEAD", "-o", "shown")
    assert (tmp_path / "clone/shown/index.html").is_file()


def test_each_run_records_processor_and_versions(smoke):
    recorded = json.loads((smoke / "reports/events/environment.json").read_text())
    assert {"processor", "python", "numpy", "torch"} <= set(recorded)
    for lock in smoke.glob("stages/studies/*/dvc.lock"):
        assert "environment.json" not in lock.read_text()


def test_a_set_is_exported_as_wav(smoke, tmp_path):
    import soundfile

    command = [sys.executable, "-m", "stages.tools.export", "events", "dense_wav-cw-targeted", str(tmp_path / "wavs")]
    done = clones.run(smoke, *command)
    files = list((tmp_path / "wavs").glob("*.wav"))
    assert f"{len(files)} clips" in done.stdout
    assert files
    assert soundfile.info(files[0]).samplerate == 32000


@pytest.mark.parametrize(
    ("name", "missing", "told"),
    [
        ("root: data/embedded/FSDKaggle2018", "root: data/nowhere", "events.corpora.audio.root"),
        (
            "impulse_response: data/embedded/great_hall.wav",
            "impulse_response: data/nowhere",
            "events.treatments.live_reverb.parameters.impulse_response",
        ),
        ("root: data/embedded/transfer/text.txt", "root: data/nowhere", "transfer.pretrained.bert.root"),
        (
            "impulse_responses: data/embedded/rooms",
            "impulse_responses: data/nowhere",
            "speech.playback.impulse_responses",
        ),
        (
            "spoken_phrases: data/embedded/speech/phrases",
            "spoken_phrases: data/nowhere",
            "speech.playback.spoken_phrases",
        ),
    ],
)
def test_what_is_missing_is_one_line_before_anything_runs(changed, name, missing, told):
    text = Path("params.yaml").read_text()
    assert name in text
    Path("params.yaml").write_text(text.replace(name, missing))
    line = f"params.yaml: {told}: expected a file or folder; found nothing at data/nowhere; see data/README.md"
    assert _told() == line


def _told(study: str | None = None) -> str:
    """What is said where a study, or all of them, can't be run."""
    with pytest.raises(UserError) as told:
        reproduce.main(study, jobs=1)
    line = str(told.value)
    assert "\n" not in line
    return line


def test_what_does_not_fit_is_one_line_before_anything_runs(changed):
    text = Path("params.yaml").read_text()
    for right, wrong in (("rate_hz: 20000", "rate_hz: 40000"), ("bitrate_kbps: 48", "bitrate_kbps: 144")):
        assert right in text
        text = text.replace(right, wrong)
    Path("params.yaml").write_text(text)
    line = _told("events")
    assert line.startswith("params.yaml: events.treatments.mp3_48k: expected a treatment that fits")
    assert "; and params.yaml: events.treatments.resample_20kHz: " in line


def test_a_lock_cut_off_is_one_line_with_what_to_do(changed):
    lock = Path("stages/studies/emotion/dvc.lock")
    text = lock.read_text()
    # In the middle of a line, as an interrupted write leaves it.
    lock.write_text(text[: text.index("path:", len(text) // 2) + 3])
    assert f"git restore {lock}" in _told()


def test_a_second_run_is_told_at_once(changed):
    active = Path(".dvc/tmp/reproduce.lock")
    active.parent.mkdir(parents=True, exist_ok=True)
    with alone(active, "here"):
        done = clones.reproduce(changed, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ") and f"another run is active (PID {os.getpid()})" in line


def test_a_command_of_dvc_at_work_is_told_at_once(changed):
    active = Path(".dvc/tmp/lock")
    with active.open("w") as held:
        held.write(f" {os.getpid()}\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        assert f"another run is active (PID {os.getpid()})" in _told()


def test_an_unknown_study_is_told_with_those_that_are_known(changed):
    assert _told("event") == f"STUDY: expected one of {', '.join(_in_order())}; found event; correct it"


def _in_order() -> list[str]:
    return [name for name in parameters.read(clones.ROOT / "params.yaml") if name in STUDIES]


def test_a_stage_in_the_wrong_folder_is_one_line(smoke):
    """Also where `stages` is found, as it is in an environment that `make` has set up."""
    done = clones.run(
        smoke / "data", sys.executable, "-m", "stages.mix", "speech", "noisy", check=False, PYTHONPATH=".."
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: expected the parameters; found no such file; run from the repo")
    done = clones.run(smoke / "data", "dvc", "repro", check=False)
    assert "dvc.yaml' does not exist" in done.stdout + done.stderr
