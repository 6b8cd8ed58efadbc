"""What a verb writes does not depend on how many processes share its shards."""

import contextlib
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import fewer
import numpy as np
import pytest
import soundfile
import test_audit
import yaml
from small_folder import FOLDER
from test_attack_events import write_clips

from stages import attack, audit, detect, featurise, mix, prepare, score
from stages.frame import devices, shards

# Verbs that share their work, with what they are called by and what they write, in each home that has what they need.
SHARED = [
    ("sounds_home", prepare, ("small", "audio"), "data/small/audio"),
    ("sounds_home", audit, ("audit", "classifiers.events.tiny"), "data/audit/classifiers/events/tiny"),
    ("emotion_home", featurise, ("emotion", "log_mel"), "data/emotion/log_mel"),
    ("emotion_home", attack, ("emotion", "cnn4"), "data/emotion/adversarial/cnn4"),
    ("emotion_home", score, ("emotion", "inverted"), "data/emotion/scores/inverted"),
    ("faces_home", attack, ("audiovisual", "words"), "data/audiovisual/adversarial/words"),
    ("faces_home", detect, ("audiovisual", "words"), "data/audiovisual/detections/words"),
    ("speech_home", mix, ("speech", "noisy"), "data/speech/noisy"),
    ("speech_home", attack, ("speech", "plain"), "data/speech/adversarial/plain"),
    ("speech_home", score, ("speech", "mixtures"), "data/speech/scores/mixtures"),
    ("transfer_home", featurise, ("transfer", "heard"), "data/transfer/heard"),
    ("transfer_home", attack, ("transfer", "speech_heads"), "data/transfer/adversarial/speech_heads"),
]
# Some sets have fewer shards than that, and somebody's share is empty.
COUNT = 3


@pytest.fixture(scope="module")
def sounds_home(tmp_path_factory):
    """A corpus of several shards, and a victim with clips to audit it on."""
    folder = tmp_path_factory.mktemp("sounds")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_clips(folder)
        test_audit.write(attacks=["sound.noise", "sound.pgd"], treatments=["none", "noisy"])
    values = yaml.safe_load((folder / "params.yaml").read_text()) | {"small": {"corpora": {"audio": FOLDER}}}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    (folder / "sounds").mkdir()
    names = [f"{number}.wav" for number in range(150)]
    for number, name in enumerate(names):
        soundfile.write(folder / "sounds" / name, 0.1 * np.random.default_rng(number).standard_normal(400), 16000)
    (folder / "sounds/clips.csv").write_text("\n".join(["file,label,split", *(f"{one},hiss,train" for one in names)]))
    return folder


@pytest.mark.parametrize(("home", "verb", "names", "made"), SHARED)
def test_each_process_does_its_share_hashes_inputs_twice_at_most_and_the_set_is_that_of_one(
    home, verb, names, made, request, tmp_path, monkeypatch
):
    """One after another here, the first one last, who puts the shares together: see test_devices for them at once."""
    before = request.getfixturevalue(home)
    monkeypatch.chdir(shutil.copytree(before, tmp_path / "home", ignore=shutil.ignore_patterns(".scratch")))
    monkeypatch.setenv("KEPT_GB", "0")
    monkeypatch.setenv("DEVICE", "cpu")
    # Of what is a few clips there is more than one shard to deal out.
    monkeypatch.setitem(shards.write_set.__kwdefaults__, "clips_per_shard", 8)
    if verb is attack:
        fewer.change(names[0], fewer.FEW, "plans", "attacks", "attacked")
    shutil.rmtree(made, ignore_errors=True)
    with hashed() as times:
        verb.main(*names)
    assert max(times.values()) <= 2
    alone = _bytes(Path(made))
    shutil.rmtree(made)
    written: list[int] = []
    for rank in reversed(range(COUNT)):
        assert not Path(made).exists()
        worker = devices.Worker(rank=rank, count=COUNT)
        monkeypatch.setattr(devices, "launch", lambda worker=worker: worker)
        with hashed() as times, _written() as own:
            verb.main(*names)
        assert max(times.values()) <= 2
        assert all(number % COUNT == rank for number in own)
        written += own
    assert sorted(written) == list(range(len(written))) and len(written) > 1
    assert _bytes(Path(made)) == alone


@contextlib.contextmanager
def _written() -> Iterator[list[int]]:
    """The numbers of the shards that are written as long as the block lasts."""
    numbers, write = [], shards._write_shard
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            shards, "_write_shard", lambda folder, number, *made: numbers.append(number) or write(folder, number, *made)
        )
        yield numbers


@contextlib.contextmanager
def hashed() -> Iterator[Counter]:
    """How often each file but those of code is hashed for as long as the block lasts."""
    times, digest = Counter(), hashlib.file_digest

    def counted(stream, name):
        times[stream.name] += not Path(stream.name).is_absolute()
        return digest(stream, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "file_digest", counted)
        yield times


def _bytes(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
