"""Training a reader of words or sentences: it learns, and the same bytes with or without a break."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from breaks import interrupted
from small_faces import NETWORK

from stages import victim
from stages.frame import parameters, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.training import lip_reading
from stages.training.task import Task

SIGNAL = {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": 18}
RECIPE = {
    "seed": 1,
    "epochs": 6,
    "batch_size": 6,
    "learning_rate": 0.01,
    "label_smoothing": 0.0,
    "ctc_from_epoch": 3,
    "shifted_frames": 1,
    "noise": {"audio_levels": 200.0, "video_levels": 8.0, "share": 0.5},
    "sounds": {"lowest_snr_db": 10.0, "highest_snr_db": 20.0, "share": 0.5},
    "beam_width": None,
    "grammar": None,
}
TONES_HZ = {"a": 500, "b": 1200, "n": 2500}
# Frames of each word, and how many pass before the first.
WORD_FRAMES, LEAD = 6, 2
SENTENCES = [f"{one} {other}" for one in ("ab", "ba", "nab", "an") for other in ("ab", "ba", "nab", "an")]


def frames_of(number):
    return LEAD + 2 * WORD_FRAMES + 1 + number % 3


def written(folder, decides):
    """Clips of words that are tones, or of sentences in which each character is; the pictures are random."""
    splits = ["train"] * 36 + ["validation"] * 8 + ["test"] * 12
    texts = [("ab" if decides == "label" else SENTENCES)[n % (2 if decides == "label" else 16)] for n in range(56)]
    table = pd.DataFrame({"key": [f"clip{number}" for number in range(56)], "split": splits, "speaker": splits})
    table = table.assign(clip_id=table.key, label=texts if decides == "label" else "", text=texts, problem="")
    table["duration_s"] = [frames_of(number) / 25 for number in range(56)]
    spans = [[(LEAD + WORD_FRAMES * n) / 25, (LEAD + WORD_FRAMES * (n + 1)) / 25] for n in range(2)]
    table["word_times"] = [
        "; ".join(f"{word} {start} {end}" for word, (start, end) in zip(text.split(), spans)) for text in texts
    ]

    def compute(part):
        made = []
        for row in part.itertuples():
            rng = np.random.default_rng(row.Index)
            frames = frames_of(row.Index)
            audio = 0.003 * rng.standard_normal(640 * frames)
            for number, word in enumerate(row.text.split()):
                start = 640 * (LEAD + WORD_FRAMES * number)
                spelled = word if row.label else word + " " * (1 - number)
                edges = np.linspace(start, start + 640 * WORD_FRAMES, len(spelled) + 1).astype(int)
                for character, first, last in zip(spelled.rstrip(), edges, edges[1:]):
                    time = np.arange(last - first) / 16000
                    audio[first:last] += 0.1 * np.sin(2 * np.pi * TONES_HZ[character] * time + rng.uniform(0, 6))
            video = rng.integers(0, 256, (frames, 18, 18), dtype=np.uint8)
            made.append({"video": video, "audio": audio.astype("f")})
        return part, made

    write = {"inputs": [], "settings": decides, "worker": Worker(), "description": "t", "about": {"signal": SIGNAL}}
    shards.write_set(table, folder, compute, **write)
    return shards.ShardSet(folder)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return {decides: written(folder / decides, decides) for decides in ("label", "text")}


def recipe(**changed):
    return parameters.bind(lip_reading.Recipe, "recipes.t", RECIPE | changed)()


def train(clips, decides, folder, **changed):
    """A recogniser in `folder`."""
    (folder / "finished").mkdir(parents=True, exist_ok=True)
    labels, decides = victim.labels_of(clips[decides].table)
    values = NETWORK | {"decides": decides}
    config = {"network": "lip_reader", "parameters": values, "labels": labels, "decides": decides}
    config |= {"signal": SIGNAL, "bounds": {"video": [0, 255], "audio": [-1, 1]}}

    def build():
        return victim.build("lip_reader", len(labels), values, where="t", signal=SIGNAL)

    own = clips[decides]
    task = Task(own, own, labels, build, config, "cpu", folder / "scratch", folder / "finished")
    outcome = lip_reading.train(task, recipe(**changed))
    assert outcome.told.startswith("accuracy " if decides == "label" else "word error rate ")
    return folder / "finished"


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_it_learns_words_by_their_sound(clips, tmp_path):
    folder = train(clips, "label", tmp_path)
    decided = pd.read_csv(folder / "decisions.csv")
    assert decided.split.value_counts().to_dict() == {"validation": 8, "test": 12}
    assert (decided.decision == decided.label).mean() >= 0.9
    assert (decided.decision_audio_alone == decided.label).mean() >= 0.9
    # Pictures say nothing, so that there is as much in noise as the sound says there.
    assert (decided.decision_video_alone == decided.label).mean() <= 0.8
    for column in ("decision_0_db", "decision_audio_alone_0_db"):
        assert (decided[column] == decided.label).mean() >= 0.7
    assert decided.confidence.between(0.5, 1).all()
    history = pd.read_csv(folder / "history.csv")
    assert history.epoch.tolist() == list(range(6))
    last = decided[decided.split == "validation"]
    assert history.validation_error.iloc[-1] == pytest.approx((last.decision != last.label).mean())
    members = pd.read_csv(folder / "members.csv")
    assert set(zip(members.member, members.judged_by, members.judged_on)) == {
        ("model", "split", "validation"),
        ("model", "split", "test"),
    }
    assert members.attacked_at.isna().all() and members.kept.all()
    assert list(members) == ["member", "judged_by", "judged_on", "attacked_at", "kept"]
    loaded = victim.load(folder / "model", device="cpu")
    arrays = clips["label"].load("clip50")
    inputs = victim.padded_batch([arrays["video"]], "cpu", "video") | victim.padded_batch([arrays["audio"]], "cpu")
    with torch.no_grad():
        label, confidence = loaded.decode(loaded.logits(inputs))
    row = decided.set_index("key").loc["clip50"]
    assert loaded.names(label) == [row.decision] and confidence.item() == pytest.approx(row.confidence, abs=1e-5)


def test_it_learns_sentences_by_their_words_times_and_ctc(clips, tmp_path):
    given = {"epochs": 12, "ctc_from_epoch": 6, "learning_rate": 0.02, "beam_width": 5}
    folder = train(clips, "text", tmp_path, **given)
    history = pd.read_csv(folder / "history.csv")
    assert history.loss.iloc[4] < 0.5 * history.loss.iloc[0]
    assert history.validation_error.iloc[-1] <= 0.3
    decided = pd.read_csv(folder / "decisions.csv", keep_default_na=False)
    for column in ("decision", "decision_audio_alone", "decision_beam"):
        assert (decided[column] == decided.text).mean() >= 0.6
    assert (decided.decision_video_alone == decided.text).mean() <= 0.3
    assert json.loads((folder / "model/config.json").read_text())["decides"] == "text"


def test_a_text_without_room_is_named(clips, tmp_path):
    crowded = shards.ShardSet(clips["text"].folder)
    shortest = frames_of(0)
    # Of two steps a frame, and of no frame more than the words and one on either side of them.
    least = 2 * min(2 * WORD_FRAMES + 2, shortest) + 1
    crowded.table.loc[0, "text"] = (("ab" * least)[: least - 3]) + " ab"
    with pytest.raises(UserError, match=f"clip clip0: expected at least {least} steps for its text; found {least - 1}"):
        train({"text": crowded}, "text", tmp_path)


def test_what_can_not_be_learned_is_named(clips, tmp_path):
    one = shards.ShardSet(clips["label"].folder)
    one.table["label"] = "ab"
    with pytest.raises(UserError, match="expected at least two labels; found 1: ab"):
        train({"label": one}, "label", tmp_path)
    for decides in ("label", "text"):
        less = shards.ShardSet(clips[decides].folder)
        less.table = less.table[less.table.split != "validation"]
        with pytest.raises(UserError, match="expected at least 1 clips in the split validation; found 0"):
            train({decides: less}, decides, tmp_path)


@pytest.mark.parametrize("decides", ["label", "text"])
def test_training_that_ends_in_nan_is_an_error(clips, tmp_path, decides):
    with pytest.raises(UserError, match=r"expected finite numbers.*; train it otherwise"):
        train(clips, decides, tmp_path, epochs=2, learning_rate=1e18)


@pytest.mark.parametrize("decides", ["label", "text"])
def test_interrupted_it_ends_with_equal_bytes(clips, tmp_path, decides):
    given = {"epochs": 3, "ctc_from_epoch": 1}
    whole = train(clips, decides, tmp_path / "whole", **given)
    for _ in range(2):
        with interrupted():
            train(clips, decides, tmp_path / "cut", **given)
    resumed = contents(train(clips, decides, tmp_path / "cut", **given))
    assert resumed == contents(whole)
    assert resumed.keys() >= {file.relative_to(whole) for file in whole.glob("*.csv")}


@pytest.mark.parametrize(
    ("word_times", "steps", "steps_per_frame", "shift", "expected"),
    [
        # Frames 1 to 4 for "ab ", at three steps each; then "a" alone.
        ("ab 0.04 0.16; a 0.16 0.24", 7, 1, 0, "_ab aa_"),
        ("ab 0.04 0.16; a 0.16 0.24", 14, 2, 0, "__aabb  aaaa__"),
        # Later and earlier by frames, also over the ends.
        ("ab 0.04 0.16; a 0.16 0.24", 7, 1, 1, "__ab aa"),
        ("ab 0.04 0.16; a 0.16 0.24", 7, 1, 3, "____ab "),
        ("ab 0.04 0.16; a 0.16 0.24", 7, 1, -2, "b aa___"),
        ("ab 0.04 0.16; a 0.16 0.24", 7, 1, -9, "_______"),
        ("ab 0.04 0.16; a 0.16 0.24", 7, 1, 9, "_______"),
        # What is between words is blank.
        ("a 0.0 0.08; b 0.2 0.28", 8, 1, 0, "a ___bb_"),
    ],
)
def test_characters_at_each_step_by_hand(word_times, steps, steps_per_frame, shift, expected):
    alphabet = [" ", "a", "b"]
    labels = lip_reading.aligned_characters(word_times, steps, steps_per_frame, alphabet, shift)
    assert "".join([*alphabet, "_"][label] for label in labels) == expected


@pytest.mark.parametrize("word", ["green", "three", "abba", "aa"])
def test_with_two_steps_a_character_the_steps_spell_the_word(word):
    """Whichever part of a frame it begins with; where two characters are the same there is a blank between them."""
    alphabet = sorted(set(word))
    for start_s in np.arange(0.2, 0.28, 0.007):
        word_times = f"{word} {start_s} {start_s + 0.04 * len(word)}"
        labels = lip_reading.aligned_characters(word_times, 40, 2, alphabet, 0).tolist()
        path = [label for label, before in zip(labels, [-1, *labels]) if label != before]
        assert "".join(alphabet[label] for label in path if label < len(alphabet)) == word
        assert path[0] == path[-1] == len(alphabet)
        spoken = [place for place, label in enumerate(labels) if label < len(alphabet)]
        assert spoken[0] == round(50 * start_s) and spoken[-1] + 1 == round(50 * start_s + 2 * len(word))


def test_noise_beyond_the_range_of_values_is_told():
    with pytest.raises(UserError, match=r"recipes.t.noise.video_levels: expected a number >= 0 and <= 255; found 256"):
        recipe(noise={"audio_levels": 0.0, "video_levels": 256, "share": 0.5})


def test_sound_and_picture_move_together():
    inputs = {
        "video": torch.arange(8.0).view(2, 4, 1, 1),
        "audio": torch.arange(8.0).repeat_interleave(640).view(2, -1),
    }
    moved = lip_reading._shifted(inputs, np.array([1, -1]))
    assert moved["video"].flatten(1).tolist() == [[3, 0, 1, 2], [5, 6, 7, 4]]
    assert torch.equal(moved["audio"].view(2, 4, 640).mean(2), moved["video"].flatten(1))


def test_of_sentences_all_words_are_heard_and_little_more(clips):
    rows = clips["text"].table.iloc[:6]
    rng, starts = np.random.default_rng(0), []
    for _ in range(40):
        start, length = lip_reading._around_words(rows, 1, rng)
        # The words, a frame on either side, and perhaps one that they reach into by a rounding error.
        assert length - 2 * WORD_FRAMES in (2, 3)
        assert (start <= LEAD).all() and (start + length >= LEAD + 2 * WORD_FRAMES).all()
        assert (start >= 0).all() and (start + length <= np.round(25 * rows.duration_s)).all()
        starts.append(start)
    # Clips of 15, 16 and 17 frames: the more there is around the words, the more beginnings.
    assert [sorted(set(one)) for one in np.transpose(starts)[:3]] == [
        list(range(min(LEAD, 15 + number - length) + 1)) for number in range(3)
    ]
    # Of clips shorter than the longest sentence and its margins, no more than the shortest has.
    assert lip_reading._around_words(rows, 50, rng)[1] == 15
    keys = list(rows.key)
    inputs = lip_reading._batch(clips["text"], keys, "cpu", windows=(start, length))
    assert inputs["video_length"].tolist() == [length] * 6
    for row, (key, first) in enumerate(zip(keys, start)):
        arrays = clips["text"].load(key)
        assert np.array_equal(inputs["video"][row], arrays["video"][first : first + length])
        assert np.array_equal(inputs["audio"][row], arrays["audio"][640 * first : 640 * (first + length)])
