"""Real excerpts run through by one parameter."""

from pathlib import Path

import clones
import pandas as pd
import pytest
import yaml

from stages.frame import parameters
from stages.tools import dependencies, scale

pytestmark = pytest.mark.skipif(not clones.SHARED.is_dir(), reason="the excerpts of the real corpora are not here")


HARDENED = ("u_net_hardening", "dnn_hardening")
# How real clips are read, and that they come through to the report, needs one victim and little training.
LESS = {
    "events": {
        "recipes": {"classification": {"epochs": 2}},
        "victims": dict.fromkeys(("dense_mel", "dense_wav")),
        "attacked": dict.fromkeys(
            ("vgg13-lbfgs", "vgg13-cw-untargeted", "dense_mel-deepfool", "dense_wav-cw-targeted"),
        ),
        "listening": ["vgg13-deepfool"],
    },
    "emotion": {
        "recipes": {"adversarial": {"iterations": 4, "adversarial_from": 2}},
        "plans": {"judged": {"clips_per_label": 2}},
    },
    "speech": {
        "recipes": {"recogniser": {"epochs": 1}}
        | {name: {"iterations": 1, "iterations_per_round": 1} for name in ("u_net", "dnn", *HARDENED)},
        "scored": {"mixtures": {"mixtures": 1}},
    },
}


def _with_root(folder: Path, study: str, root: Path) -> Path:
    """A clone in which one parameter names the corpus: `root`; the study does less than at the smoke scale."""
    clones.scaled(clones.clone(folder))
    values = parameters.read(folder / "params.yaml")
    scale.apply(values[study], LESS[study] | {"corpora": {"audio": {"root": str(root)}}}, "LESS")
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    return folder


def _run(folder: Path, study: str, waiting: str, monkeypatch) -> None:
    """Runs what the study's report needs, one stage after another, without DVC, whose part the other test has."""
    monkeypatch.chdir(folder)
    stages = dependencies.stages()
    waits_for = {stage: {one for one in stages if _writes_for(one, stage)} for stage in stages}
    needed = [stage for stage in stages if stage.command[2:] == ("stages.report", study)]
    for stage in needed:
        needed += waits_for[stage] - {*needed}
    done: set[dependencies.Stage] = set()
    while ready := [stage for stage in needed if stage not in done and waits_for[stage] <= done]:
        for stage in ready:
            for output in stage.outs:
                output.parent.mkdir(parents=True, exist_ok=True)
            clones.run(folder, *stage.command, PATH=waiting)
        done |= {*ready}


def _writes_for(one: dependencies.Stage, other: dependencies.Stage) -> bool:
    return any(out in (dep, *dep.parents) or dep in out.parents for out in one.outs for dep in other.deps)


def test_sounds_of_fsdkaggle2018(tmp_path, waiting, monkeypatch):
    folder = _with_root(tmp_path, "events", clones.SHARED / "FSDKaggle2018")
    _run(folder, "events", waiting, monkeypatch)
    assert (folder / "reports/events/table_1.csv").read_text().splitlines()[1].endswith(",36")
    assert not (folder / "data/emotion").exists()


def test_emotional_speech_of_emovo(tmp_path, waiting):
    folder = _with_root(tmp_path, "emotion", clones.SHARED / "EMOVO")
    clones.reproduce(folder, "emotion", jobs=2, PATH=waiting)
    partition = (folder / "reports/emotion/table_1.csv").read_text().splitlines()
    assert partition[1].startswith("speakers,2,")
    assert any(line.startswith("neutral,") for line in partition)


def test_speech_of_librispeech_with_noises_of_esc(tmp_path, waiting, monkeypatch):
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora/LibriSpeech").symlink_to(clones.SHARED / "LibriSpeech")
    (tmp_path / "corpora/noises").symlink_to(clones.SHARED / "ESC-10")
    folder = _with_root(tmp_path / "clone", "speech", tmp_path / "corpora")
    _run(folder, "speech", waiting, monkeypatch)
    corpus = pd.read_csv(folder / "reports/speech/table_corpora.csv").set_index("split")
    assert corpus.n.sum() == 100
    assert corpus.speakers.tolist() == [6, 1, 3]
    quality = pd.read_csv(folder / "reports/speech/table_1.csv").set_index("enhancer")
    assert quality.loc["wave_u_net", ["pesq_wb", "stoi", "sti", "snr_db"]].notna().all()
