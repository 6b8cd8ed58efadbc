"""A sixth study is a folder, a section of params.yaml, and two lines at the top; nothing else is touched."""

import json
import re
from pathlib import Path

import clones

SECTION = """
# A sixth study.
sixth:
  corpora:
    audio:
      reader: fsdkaggle2018
      root: data/embedded/FSDKaggle2018
      skip_unreadable: false
      parameters: {validation_share: 0.25}
      decoder: audio
      decoding: {recorded_at_hz: 44100, sample_rate_hz: 32000, average_channels: false}
  recipes:
    short: {seed: 1, epochs: 1, batch_size: 8, learning_rate: 5.0e-3, decay: 0.7, decay_every_epochs: 2,
            mixup_alpha: 0.2, masked_above: 1.0, averaged_epochs: 1}
  victims:
    small:
      inputs: audio
      network: spectrogram_cnn
      parameters: {architecture: vgg13, width: 0.0625, blocks: 3}
      method: classification
      recipe: short
  plans:
    correct: {plan: correct, clips_per_label: 1, batch_size: 32}
  attacks:
    fgsm: {attack: none}
  attacked:
    small: {victims: [small], network: spectrogram_cnn, attacks: [fgsm], plan: correct}
"""
GRAPH = """vars: ["../../../params.yaml:sixth"]
stages:
  prepare:
    wdir: ../../..
    cmd: python -m stages.prepare sixth audio
    params: [sixth.corpora.audio]
    deps: [stages/prepare.py, "${sixth.corpora.audio.root}"]
    outs: [data/sixth/audio]
  train:
    wdir: ../../..
    cmd: python -m stages.train sixth small
    params: [sixth.victims.small, sixth.recipes.short]
    deps: [stages/train.py, data/sixth/audio]
    outs: [models/sixth/small]
  attack:
    wdir: ../../..
    cmd: python -m stages.attack sixth small
    params: [sixth.attacked, sixth.attacks, sixth.plans]
    deps: [stages/attack.py, data/sixth/audio, models/sixth/small]
    outs: [data/sixth/adversarial/small]
  report:
    wdir: ../../..
    cmd: python -m stages.report sixth
    params: [sixth.corpora]
    deps: [stages/report.py, stages/studies/sixth/tables.py, data/sixth/adversarial/small, data/sixth/audio/clips.csv]
    outs:
      - {reports/sixth/summary.json: {cache: false}, reports/sixth/metrics.json: {cache: false}}
      - reports/sixth/index.html
"""
TABLES_PY = '''"""Room of studies: a sixth one."""

from stages.frame import clip_table

TITLE, NOTE, FIGURES, HEADLINES = "A sixth study", "Nothing is attacked.", {}, {"labels": "of the set"}
PAPERS, READERS = {"victims": ("small",)}, ("fsdkaggle2018",)
TABLES = {"table_1": "Table 1. How many clips are still decided rightly, %"}


def read(parameters):
    return clip_table.read("data/sixth/adversarial/small/clips.csv")


def tables(rows):
    return {"table_1": rows.groupby("label").success.agg(["mean", "size"]).mul([100, 1]).reset_index()}


def metrics(made):
    return {"labels": float(len(made["table_1"]))}
'''


def test_a_sixth_study_is_added_and_run(own, waiting):
    assert sum(text.strip().count("\n") + 1 for text in (GRAPH, TABLES_PY)) <= 60
    before = clones.run(own, "git", "status", "--porcelain").stdout
    folder = Path("stages/studies/sixth")
    folder.mkdir()
    (folder / "dvc.yaml").write_text(GRAPH)
    (folder / "tables.py").write_text(TABLES_PY)
    Path("params.yaml").write_text(Path("params.yaml").read_text() + SECTION)
    top = Path("dvc.yaml").read_text()
    for line, new in (
        ("      speech\n", "      sixth\n"),
        ("      reports/speech/summary.json, reports/speech/pictures,\n", "      reports/sixth/summary.json,\n"),
    ):
        assert top.count(line) == 1
        top = top.replace(line, line + new)
    Path("dvc.yaml").write_text(top)
    told = clones.reproduce(own, PATH=waiting).stdout
    assert re.findall(r"^(\S+): done in", told, re.M) == [
        *(f"stages/studies/sixth/dvc.yaml:{verb}" for verb in ("prepare", "train", "attack", "report")),
        "index",
    ]
    assert "sixth: A sixth study" in told and re.search(r"labels +\d+ +of the set\n", told)
    assert json.loads(Path("reports/sixth/metrics.json").read_text())["labels"] > 1
    index = Path("reports/index.html").read_text()
    assert "A sixth study" in index
    assert "sixth/index.html" in index
    changed = clones.run(own, "git", "status", "--porcelain").stdout
    touched = {line[3:] for line in changed.splitlines()} - {line[3:] for line in before.splitlines()}
    assert touched == {"params.yaml", "dvc.yaml", "dvc.lock", "stages/studies/sixth/", "reports/sixth/"}
