"""The verb mix: which mixtures are made, what rows and arrays they have, what becomes of clips that can not be."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from stages import mix, prepare
from stages.frame.errors import UserError
from stages.frame.shards import ShardSet

SHARED = Path(__file__).parents[2] / "shared" / "corpora"
LEVELS = [15.0, 10.0, 5.0, 0.0]
COUNTS = {"train": 2, "validation": 1, "test": 4}


def settings(**changes) -> dict:
    corpus = {
        "reader": "noisy_speech",
        "root": "corpus",
        "skip_unreadable": True,
        "parameters": {
            "partition": "by_speaker",
            "validation_share": 0.2,
            "test_share": 0.2,
            "test_noises": 2,
            "noise_channels": 2,
        },
        "decoder": "audio",
        "decoding": {"recorded_at_hz": None, "sample_rate_hz": 16000, "average_channels": True},
    }
    mixture = {"levels_db": LEVELS, "mixtures_per_clip": COUNTS} | changes
    return {"speech": {"corpora": {"audio": corpus}, "mixtures": {"noisy": mixture}}}


def sound(path: Path, seed: int, samples: int, level: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, level * np.random.default_rng(seed).uniform(-1, 1, samples), 16_000, subtype="PCM_16")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setenv("DEVICE", "cpu")
    Path("params.yaml").write_text(yaml.safe_dump(settings()))


@pytest.fixture
def audio() -> ShardSet:
    """Five speakers of four clips and four kinds of noise of two channels, one long and one short; some are faulty."""
    for speaker in range(1, 6):
        folder = Path("corpus/LibriSpeech/all", str(speaker), "7")
        names = [f"{speaker}-7-{number:04d}" for number in range(4)]
        for number, name in enumerate(names):
            sound(folder / f"{name}.flac", 10 * speaker + number, 2000 + 100 * number)
        (folder / f"{speaker}-7.trans.txt").write_text("".join(f"{name} YES\n" for name in names))
    for number, kind in enumerate(["NPARK", "TBUS", "TCAR", "SCAFE"]):
        sound(Path("corpus/DEMAND", kind, "ch01.wav"), number, 8000)
        sound(Path("corpus/DEMAND", kind, "ch02.wav"), 4 + number, 1000)
    sound(Path("corpus/LibriSpeech/all/1/7/1-7-0000.flac"), 0, 2000, level=0)
    Path("corpus/LibriSpeech/all/2/7/2-7-0000.flac").write_bytes(b"no sound")
    Path("corpus/DEMAND/NPARK/ch01.wav").write_bytes(b"no sound")
    prepare.main("speech", "audio")
    return ShardSet("data/speech/audio")


def made() -> ShardSet:
    mix.main("speech", "noisy")
    return ShardSet("data/speech/noisy")


def test_mixtures(audio):
    noisy, clips = made(), audio.table.set_index("key")
    assert noisy.about == audio.about
    table = noisy.table[noisy.table.problem == ""]
    for row in table.itertuples():
        arrays, speech = noisy.load(row.key), audio.load(row.clip_id)["audio"]
        assert {name: (one.dtype, len(one)) for name, one in arrays.items()} == dict.fromkeys(
            ("audio", "clean"), (np.dtype("f4"), len(speech))
        )
        np.testing.assert_array_equal(arrays["clean"], speech)  # soft enough for all levels
        noise = arrays["audio"].astype("f8") - arrays["clean"]
        assert 10 * np.log10(np.mean(speech.astype("f8") ** 2) / np.mean(noise**2)) == pytest.approx(
            row.snr_db, abs=1e-4
        )
        assert clips.speaker[row.noise_clip_id] == row.noise
        assert clips.split[row.noise_clip_id] == row.split.replace("validation", "train")
        same = ["text", "speaker", "split", "duration_s"]
        assert [getattr(row, name) for name in same] == clips.loc[row.clip_id, same].tolist()
    assert (table.gain_db == 0).all()
    assert table.duration_s.dtype == table.snr_db.dtype == table.gain_db.dtype == float


def test_what_can_not_be_mixed_has_a_row_that_says_why(audio, capsys):
    noisy = made()
    problems = (noisy.table.problem != "").sum()
    assert capsys.readouterr().out.endswith(f"speech noisy: {len(noisy.table)} mixtures, {problems} with a problem\n")
    table = noisy.table.set_index("key")
    assert len(table) == sum(COUNTS[split] for split in audio.table.split[audio.table.text != ""])
    faulty = table[table.problem != ""]
    assert set(faulty.clip_id) == {"1-7-0000", "2-7-0000"}
    silent, unreadable = (faulty.problem[faulty.clip_id == name] for name in ("1-7-0000", "2-7-0000"))
    assert silent.str.contains("the speech: expected something to hear; found digital silence").all()
    assert unreadable.str.contains("2-7-0000.flac: expected a readable audio file").all()
    assert all(noisy.load(key) == {} for key in faulty.index)
    assert "NPARK-ch01" not in set(table.noise_clip_id)


def test_the_noise_is_a_stretch_of_the_recording_from_a_place_of_its_own(audio):
    noisy = made()
    starts = []
    for row in noisy.table[(noisy.table.problem == "") & noisy.table.noise_clip_id.str.endswith("ch01")].itertuples():
        arrays, recording = noisy.load(row.key), audio.load(row.noise_clip_id)["audio"].astype("f8")
        noise = arrays["audio"].astype("f8") - arrays["clean"]
        starts.append(np.argmax(np.correlate(recording, noise, "valid")))
        own = recording[starts[-1] :][: len(noise)]
        np.testing.assert_allclose(noise / noise.std(), own / own.std(), atol=1e-3)
    assert len(set(starts)) > 0.9 * len(starts) > 9


def test_the_same_bytes_every_time(audio):
    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in made().folder.iterdir()}

    assert contents() == contents()


def clips(speech: dict[str, int], kinds: dict[str, int], problems: int = 0) -> pd.DataFrame:
    """A table of so many utterances and so many kinds of noise in each split, some of the utterances with a problem."""
    rows = [
        {"clip_id": f"{split}{number}", "text": "yes", "speaker": split, "split": split, "problem": ""}
        for split, count in speech.items()
        for number in range(count)
    ]
    for row in rows[:problems]:
        row["problem"] = "unreadable"
    rows += [
        {"clip_id": f"{split}-{kind}-{number}", "text": "", "speaker": f"{split}-{kind}", "split": split, "problem": ""}
        for split, count in kinds.items()
        for kind in range(count)
        for number in range(3)
    ]
    return pd.DataFrame(rows).assign(label="", duration_s=1.0)


def planned(table: pd.DataFrame, levels_db: list[float] = LEVELS, **mixtures: int) -> pd.DataFrame:
    counts = dict.fromkeys(("train", "validation", "test"), 1) | mixtures
    return mix.planned(table, mix.Mixture(levels_db=levels_db, mixtures_per_clip=counts), "speech.mixtures.noisy")


@pytest.mark.parametrize("kinds", [1, 5, 6, 10])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_levels_kinds_and_pairs_come_out_even(kinds, count):
    plan = planned(clips({"train": 53}, {"train": kinds}, problems=7), train=count)
    assert len(plan) == len(set(plan.key)) == 53 * count
    plan = plan[plan.problem == ""]
    for counted in (
        plan.snr_db.value_counts().reindex(LEVELS, fill_value=0),
        plan.noise.value_counts(),
        pd.crosstab(plan.noise, plan.snr_db).stack(),
    ):
        assert counted.max() - counted.min() <= 1
    assert plan.noise.nunique() == kinds
    assert (plan.groupby("clip_id").snr_db.nunique() == min(count, 4)).all()


def test_noises_are_of_the_clips_own_split():
    table = clips({"train": 40, "validation": 20, "test": 20}, {"train": 3, "validation": 2, "test": 2})
    plan = planned(table)
    assert (plan.noise.str.split("-").str[0] == plan.split).all()
    without = planned(table[(table.text != "") | (table.split != "validation")])
    assert set(without.noise[without.split == "validation"]) == {"train-0", "train-1", "train-2"}


def test_recordings_of_a_kind_are_drawn_alike_often_whatever_the_level():
    plan = planned(clips({"train": 4800}, {"train": 4}))
    counted = pd.crosstab([plan.noise, plan.snr_db], plan.noise_clip_id.str[-1])
    assert counted.shape == (4 * 4, 3)
    # 100 expected in each of 48 cells, of a standard deviation of 8.
    assert counted.to_numpy().min() > 65 and counted.to_numpy().max() < 135


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        (
            clips({"train": 2}, {"train": 1}),
            {"levels_db": []},
            "params.yaml: speech.mixtures.noisy.levels_db: expected at least",
        ),
        (clips({"train": 2}, {"train": 1}), {"trian": 2}, "mixtures_per_clip: expected train, validation, test; found"),
        (clips({}, {"train": 1}), {}, "speech.mixtures.noisy: expected clips with a text; found none"),
        (clips({"test": 2}, {"train": 1}), {}, "expected noise in each split with speech; found none in test"),
    ],
)
def test_faults(table, arguments, message):
    with pytest.raises(UserError, match=message):
        planned(table, **arguments)


def test_parameters_are_checked(audio):
    Path("params.yaml").write_text(yaml.safe_dump(settings(mixtures_per_clip=COUNTS | {"test": 0})))
    with pytest.raises(
        UserError, match=r"speech.mixtures.noisy.mixtures_per_clip: expected a dict of text to a whole number >= 1"
    ):
        mix.main("speech", "noisy")


def test_real_excerpt():
    if not SHARED.is_dir():
        pytest.skip("the real excerpt is not on this machine")
    for speaker in ("367", "533", "2414"):
        link = Path("corpus/LibriSpeech/test-other", speaker)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(SHARED / "LibriSpeech/test-other" / speaker)
    for kind in ("001 - Dog bark", "003 - Sea waves", "008 - Chainsaw"):
        link = Path("corpus/noises", kind)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(SHARED / "ESC-10" / kind)
    prepare.main("speech", "audio")
    noisy = made()
    assert len(noisy.table) == 10 * (2 + 1 + 4)
    # The dogs' barks are filled up with digital silence, which is cut off.
    assert (noisy.table.problem == "").all()
    for row in noisy.table.itertuples():
        arrays = noisy.load(row.key)
        clean = arrays["clean"].astype("f8")
        found = 10 * np.log10(np.mean(clean**2) / np.mean((arrays["audio"] - clean) ** 2))
        assert found == pytest.approx(row.snr_db, abs=1e-4)
        assert len(clean) == round(16_000 * row.duration_s)
        assert np.abs(arrays["audio"]).max() < 1
