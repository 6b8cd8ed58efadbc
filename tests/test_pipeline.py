"""The pipeline as its users run it: a clone, the smoke scale, `dvc repro`; then what a change reruns, and what a stage reads."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from stages.frame import parameters

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "corpora"
BIN = Path(sys.executable).parent


def run(folder: Path, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_"))}
    clean |= {"PATH": f"{BIN}:{clean['PATH']}", "OMP_NUM_THREADS": "1", "DEVICE": "cpu", **environment}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=900)
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def clone(folder: Path) -> Path:
    """The working tree as it stands, in a repository of its own."""
    files = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.splitlines()
    for name in files:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    run(folder, "git", "init", "-q")
    run(folder, "git", "config", "user.email", "test@example.org")
    run(folder, "git", "config", "user.name", "Test")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "clone")
    return folder


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> Path:
    """A clone in which the smoke scale has run."""
    folder = clone(tmp_path_factory.mktemp("smoke"))
    run(folder, sys.executable, "-m", "stages.scale", "smoke")
    run(folder, sys.executable, "-m", "stages.reproduce", "--jobs", "2")
    return folder


def outdated(folder: Path) -> set[str]:
    """The names of the stages that `dvc repro` would run."""
    lines = run(folder, "dvc", "repro", "--dry", "--allow-missing").stdout.splitlines()
    return {line.split("'")[1] for line in lines if line.startswith("Running stage")}


def resolved(folder: Path) -> dict[str, dict]:
    """Every stage with its interpolations resolved, by its full name."""
    code = """
import json
from dvc.repo import Repo
print(json.dumps({
    stage.addressing: {
        "cmd": stage.cmd, "deps": [dep.def_path for dep in stage.deps], "outs": [out.def_path for out in stage.outs]
    }
    for stage in Repo(".").index.stages
}))
"""
    return yaml.safe_load(run(folder, sys.executable, "-c", code).stdout)


def digest(path: Path) -> str:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            total.update(str(file.relative_to(path)).encode() + file.read_bytes())
    return total.hexdigest()


def test_the_committed_lock_is_of_the_committed_code():
    """Nothing to run in a fresh clone: dvc.lock, metrics and tables are those of this code and these parameters."""
    assert outdated(ROOT) == set()


def test_every_table_and_figure_is_there(smoke):
    folder = smoke / "reports" / "events"
    names = {path.name for path in folder.iterdir()}
    everywhere = {"metrics.json", "claims.csv", "listening", "index.html"}
    assert {f"table_{n}.csv" for n in range(1, 6)} | everywhere | {"figure_1.png"} <= names
    names = {path.name for path in (smoke / "reports" / "emotion").iterdir()}
    tables = {f"table_{n}.csv" for n in ("1", "2", "3", "robustness", "given_back", "z", "inversion")}
    assert tables | everywhere | {"figure_2.png", "figure_3.png"} <= names
    names = {path.name for path in (smoke / "reports" / "transfer").iterdir()}
    tables = {f"table_{n}.csv" for n in ("1", "2", "less_data", "paired", "folds", "confusion", "attacks")}
    assert tables | everywhere | {"figure_2.png", "figure_confusion.png", "table_text_robustness.csv"} <= names
    names = {path.name for path in (smoke / "reports" / "audiovisual").iterdir()}
    tables = {"corpora", "recognisers", "synchrony", "1", "2", "3", "4", "controls", "benign", "epsilon"}
    assert {f"table_{n}.csv" for n in tables} | everywhere | {"figure_1d.png", "figure_2.png"} <= names
    names = {path.name for path in (smoke / "reports" / "speech").iterdir()}
    tables = {"corpora", "recognisers", "levels", "1", "2", "3", "4", "4_hardened", "attacks", "magnitude"}
    assert {f"table_{n}.csv" for n in tables} | everywhere | {"figure_2.png", "figure_3.png", "figure_3.csv"} <= names
    header = (folder / "table_3.csv").read_text().splitlines()[0].split(",")
    assert {"transform", "GT", "GT_low", "GT_high", "GT_paper", "n"} <= set(header)


def test_pages_need_no_network_and_lead_to_what_is_there(smoke):
    pages = [
        smoke / "reports" / name
        for name in ("index.html", *(f"{study}/index.html" for study in parameters.section("page.studies")))
    ]
    for page in pages:
        text = page.read_text()
        assert "http://" not in text
        assert "https://" not in text
        references = [part.split('"')[0] for part in re.split('src="|href="', text)[1:]]
        assert references
        for reference in references:
            assert (page.parent / reference).is_file(), reference


def test_nothing_runs_again_when_nothing_changed(smoke):
    assert outdated(smoke) == set()


def test_a_changed_step_size_reruns_what_depends_on_it_alone(smoke):
    before = (smoke / "params.yaml").read_text()
    try:
        (smoke / "params.yaml").write_text(before.replace("overshoot: 0.02", "overshoot: 0.05"))
        stale = {name for name in outdated(smoke) if name.startswith("attack@")}
    finally:
        (smoke / "params.yaml").write_text(before)
    assert stale == {"attack@vgg13-deepfool", "attack@dense_mel-deepfool"}


def test_changed_code_of_an_attack_reruns_that_attack_alone(smoke):
    path = smoke / "stages" / "attacks" / "deepfool.py"
    before = path.read_text()
    try:
        path.write_text(before + "\n# a change\n")
        stale = outdated(smoke)
    finally:
        path.write_text(before)
    assert {name for name in stale if name.startswith(("attack@", "train@"))} == {
        "attack@vgg13-deepfool",
        "attack@dense_mel-deepfool",
    }


def test_an_added_item_or_file_reruns_no_other_item(smoke):
    before = (smoke / "params.yaml").read_text()
    added = smoke / "stages" / "attacks" / "mine.py"
    try:
        item = "  vgg13-mine:\n    study: events\n    victim: vgg13\n    network: spectrogram_cnn\n    attack: none\n    goal: untargeted\n    attacked_on: logits\n"
        (smoke / "params.yaml").write_text(before.replace("attack_items:\n", "attack_items:\n" + item))
        added.write_text('"""Nothing."""\n')
        # `dvc repro --dry` stops at an output that was never made; `dvc status` names what has changed.
        status = yaml.safe_load(run(smoke, "dvc", "status", "--json").stdout)
        stale = {name for name in status if "@" in name}
    finally:
        (smoke / "params.yaml").write_text(before)
        added.unlink()
    assert {name.split("@")[1] for name in stale} == {"vgg13-mine"}


def test_every_stage_reads_only_what_it_declares(smoke, tmp_path):
    """Deprivation: with its declared files and parameters alone in an empty folder, each stage writes the same bytes."""
    stages = resolved(smoke)
    lock = yaml.safe_load((smoke / "dvc.lock").read_text())["stages"]
    assert set(stages) <= set(lock)
    for number, (name, stage) in enumerate(stages.items()):
        folder = tmp_path / str(number)
        for dependency in dict.fromkeys(stage["deps"]):
            if dependency != "params.yaml":
                _copy(smoke / dependency, folder / dependency)
        values = lock[name].get("params", {}).get("params.yaml", {})
        nested: dict = {}
        for key, value in values.items():
            *above, last = key.split(".")
            inner = nested
            for part in above:
                inner = inner.setdefault(part, {})
            inner[last] = value
        (folder / "params.yaml").write_text(yaml.safe_dump(nested, sort_keys=False))
        for output in stage["outs"]:
            (folder / output).parent.mkdir(parents=True, exist_ok=True)
        command = stage["cmd"].replace("python ", f"{sys.executable} ", 1).split()
        done = run(folder, *command, check=False, PYTHONPATH=str(folder))
        assert done.returncode == 0, f"{name} reads what it does not declare:\n{done.stderr[-2000:]}"
        for output in stage["outs"]:
            assert digest(folder / output) == digest(smoke / output), f"{name}: {output} has other bytes"
        shutil.rmtree(folder)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def test_an_item_is_exported_as_wav(smoke, tmp_path):
    import soundfile

    done = run(smoke, sys.executable, "-m", "stages.export", "vgg13-deepfool", str(tmp_path / "wavs"))
    files = list((tmp_path / "wavs").glob("*.wav"))
    assert f"{len(files)} clips" in done.stdout
    assert files
    assert soundfile.info(files[0]).samplerate == 32000


@pytest.mark.skipif(not SHARED.is_dir(), reason="the excerpt of the real FSDKaggle2018 is not here")
def test_the_real_excerpt_runs_through_by_one_parameter(smoke, tmp_path):
    folder = clone(tmp_path)
    run(folder, sys.executable, "-m", "stages.scale", "smoke")
    text = (folder / "params.yaml").read_text()
    text = text.replace("    root: data/embedded/FSDKaggle2018", f"    root: {SHARED / 'FSDKaggle2018'}")
    (folder / "params.yaml").write_text(text)
    run(folder, sys.executable, "-m", "stages.reproduce", "events", "--jobs", "2")
    accuracy = (folder / "reports" / "events" / "table_1.csv").read_text()
    assert accuracy.splitlines()[1].endswith(",36")
    assert not (folder / "data" / "emotion").exists()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the excerpt of the real EMOVO is not here")
def test_real_emotional_speech_runs_through_by_one_parameter(smoke, tmp_path):
    folder = clone(tmp_path)
    run(folder, sys.executable, "-m", "stages.scale", "smoke")
    text = (folder / "params.yaml").read_text()
    text = text.replace("    root: data/embedded/DEMoS", f"    root: {SHARED / 'EMOVO'}")
    (folder / "params.yaml").write_text(text)
    run(folder, sys.executable, "-m", "stages.reproduce", "emotion", "--jobs", "2")
    partition = (folder / "reports" / "emotion" / "table_1.csv").read_text().splitlines()
    assert partition[1].startswith("speakers,2,")
    assert any(line.startswith("neutral,") for line in partition)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the excerpts of the real LibriSpeech and ESC-10 are not here")
def test_real_speech_and_noise_run_through_by_one_parameter(tmp_path):
    folder = clone(tmp_path / "clone")
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "LibriSpeech").symlink_to(SHARED / "LibriSpeech")
    (tmp_path / "corpora" / "noises").symlink_to(SHARED / "ESC-10")
    run(folder, sys.executable, "-m", "stages.scale", "smoke")
    text = (folder / "params.yaml").read_text()
    text = text.replace("    root: data/embedded/speech", f"    root: {tmp_path / 'corpora'}")
    (folder / "params.yaml").write_text(text)
    run(folder, sys.executable, "-m", "stages.reproduce", "speech", "--jobs", "2")
    corpus = pd.read_csv(folder / "reports" / "speech" / "table_corpora.csv").set_index("split")
    assert corpus.n.sum() == 100
    assert corpus.speakers.tolist() == [7, 1, 2]
    quality = pd.read_csv(folder / "reports" / "speech" / "table_1.csv").set_index("enhancer")
    assert quality.loc["wave_u_net", ["pesq_wb", "stoi", "sti", "snr_db"]].notna().all()


def test_a_missing_corpus_is_one_line_before_anything_runs(smoke):
    before = (smoke / "params.yaml").read_text()
    try:
        changed = before.replace("root: data/embedded/FSDKaggle2018", "root: data/nowhere")
        (smoke / "params.yaml").write_text(changed)
        done = run(smoke, sys.executable, "-m", "stages.reproduce", check=False)
    finally:
        (smoke / "params.yaml").write_text(before)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "error: params.yaml: corpora.events.root: expected the corpus's folder; found nothing at data/nowhere; see data/README.md"
    )


def test_scales_change_only_what_exists():
    from stages.frame.errors import UserError
    from stages.scale import apply

    values = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    apply(values, {"a": {"b": 5, "c": None}}, "scales/x.yaml")
    assert values == {"a": {"b": 5}, "e": 3}
    with pytest.raises(UserError, match=r"scales/x.yaml: a.z: expected a parameter"):
        apply(values, {"a": {"z": 1}}, "scales/x.yaml")


@pytest.mark.parametrize("scale", ["paper", "smoke"])
def test_a_scale_keeps_comments_and_gives_valid_parameters(tmp_path, scale):
    shutil.copy2(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "scales", tmp_path / "scales")
    run(tmp_path, sys.executable, "-m", "stages.scale", scale, PYTHONPATH=str(ROOT))
    text = (tmp_path / "params.yaml").read_text()
    comments = [line for line in (ROOT / "params.yaml").read_text().splitlines() if line.startswith("#")]
    assert set(comments) <= set(text.splitlines())
    assert parameters.read(tmp_path / "params.yaml") != parameters.read(ROOT / "params.yaml")
