"""Batches of a plan: clips of several lengths are attacked one by one, so that each fares as it does alone."""

import json
from pathlib import Path

import pytest
import yaml
from small_transfer import TRANSFER

from stages import attack
from stages.frame import shards

STUDIES = ("events", "emotion", "transfer", "audiovisual", "speech")


def made(home, folder, monkeypatch, rows):
    """The table, and the bytes of each waveform, made in shards of so many `rows`."""
    changed = json.loads(json.dumps(TRANSFER))
    changed["plans"]["judged"] |= {"batch_size": 1, "kept_clips_per_label": None}
    (folder / "data/transfer").mkdir(parents=True)
    for part in ("data/transfer/audio", "data/transfer/heard", "models"):
        (folder / part).symlink_to(home / part)
    (folder / "params.yaml").write_text(yaml.safe_dump({"transfer": changed}, sort_keys=False))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DEVICE", "cpu")
    monkeypatch.setattr(attack, "ROWS", rows)
    attack.main("transfer", "speech_heads")
    one = shards.ShardSet("data/transfer/adversarial/speech_heads")
    kept = one.table[one.table.kept]
    assert kept.groupby("shard").size().max() == rows
    told = one.table.drop(columns="shard").to_csv()
    return told, {key: one.load(key)["audio"].tobytes() for key in kept.key}


def test_in_one_shard_with_longer_clips_it_is_as_alone(transfer_home, tmp_path, monkeypatch):
    alone = made(transfer_home, tmp_path / "alone", monkeypatch, 1)
    assert made(transfer_home, tmp_path / "together", monkeypatch, 4) == alone


def sizes(study):
    """Which set is attacked by so many clips together, by the study's plans and by the audit."""
    values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    own, audit = values[study], values["audit"]
    grids, guarded = audit["classifiers"].get(study, {}), audit["guarded"].get(study, {})
    yield from ((one, own["plans"][one["plan"]]["batch_size"]) for one in own["attacked"].values())
    yield from ((one, audit["grids"][one["grid"]]["batch_size"]) for one in grids.values())
    yield from ((one, one["batch_size"]) for one in guarded.values())


@pytest.mark.parametrize("study", STUDIES)
def test_clips_of_several_lengths_are_one_by_one_wherever_a_study_has_such(study):
    for entry, size in sizes(study):
        folder = Path("data", study, entry.get("inputs", "audio"))
        if not (folder / "clips.csv").is_file():
            pytest.skip(f"{study} has not run here")
        clips = shards.ShardSet(folder)
        first = [clips.load(clip) for clip in clips.table.clip_id[clips.table.problem == ""][:20]]
        shapes = {tuple(one[taken].shape for taken in clips.about["bounds"]) for one in first}
        assert (size == 1) == (len(shapes) > 1), entry
