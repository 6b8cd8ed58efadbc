"""A small BERT of one's own: its vocabulary, that it learns, that a break changes nothing, what its features are."""

import numpy as np
import pandas as pd
import pretended
import pytest
import torch
from breaks import interrupted

from stages.features import bert
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.learning.work import Work
from stages.pretraining import hugging_face, masked_words, word_pieces

VALUES = {
    "seed": 1,
    "vocabulary": 60,
    "longest": 12,
    "hidden_units": 16,
    "layers": 2,
    "attention_heads": 2,
    "updates": 150,
    "batch_size": 16,
    "learning_rate": 1e-2,
    "masked_share": 0.3,
    "held_out_share": 0.2,
}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Sentences in which the first word decides the others."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    rng = np.random.default_rng(0)
    kinds = {"Happy": ("glad", "sunny", "smile"), "Gloomy": ("sad", "rainy", "cry")}
    lines = []
    for _ in range(300):
        first = str(rng.choice(list(kinds)))
        lines.append(" ".join([first, *rng.choice(kinds[first], rng.integers(2, 6))]))
    path.write_text("\n".join(lines) + "\n\n")
    return path


def learn(text, folder, device="cpu", **changed):
    (folder / "finished").mkdir(parents=True, exist_ok=True)
    work = Work(text, folder / "finished", folder / "scratch", device)
    masked_words.learn(work, parameters.bind(masked_words.Recipe, "pretraining.t", VALUES | changed)())
    return folder / "finished"


@pytest.fixture(scope="module")
def learned(text, tmp_path_factory):
    return learn(text, tmp_path_factory.mktemp("learned"))


def test_it_learns_words_from_their_neighbours(learned):
    history = pd.read_csv(learned / "history.csv")
    assert history["update"].tolist() == [50, 100, 150]
    assert history.held_out_accuracy.iloc[-1] > 0.33  # the most frequent word is right in a sixth of the places
    assert history.held_out_loss.iloc[-1] < history.held_out_loss.iloc[0]


def test_a_break_changes_no_byte(text, learned, tmp_path):
    with interrupted():
        learn(text, tmp_path)
    again = learn(text, tmp_path)
    for path in learned.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_features_are_the_layers_vectors_of_pieces_that_know_their_word(learned):
    from transformers import BertModel

    read = bert.load(learned, "cpu", layer=-2)
    one, other = read(["Happy sunrainy, glad!", "sad"])
    assert read.signal == {"features": 16}
    assert one["text"].shape == (len(one["word"]), 16)
    assert sorted(set(one["word"])) == [0, 1, 2]
    assert (np.diff(one["word"]) >= 0).all()
    assert (one["word"] == 1).sum() > 2  # an unknown word is several pieces
    model = BertModel.from_pretrained(learned, add_pooling_layer=False).eval()
    ids = torch.tensor([read.tokeniser("Happy sunrainy, glad!")["input_ids"]])
    with torch.no_grad():
        hidden = model(ids, output_hidden_states=True).hidden_states
    assert len(hidden) == 3
    assert np.allclose(one["text"], hidden[-2][0, 1:-1].numpy(), atol=1e-5)
    assert np.allclose(read(["sad"])[0]["text"], other["text"], atol=1e-5)  # batch mates have no influence
    assert other["word"].tolist() == [0] * len(other["word"])


def test_texts_that_can_not_be_read_are_one_line(learned):
    read = bert.load(learned, "cpu", layer=-2)
    with pytest.raises(UserError, match="expected at least one word; found ' '; leave the clip out"):
        read(["glad", " "])
    with pytest.raises(UserError, match=r"expected at most 12 pieces of words, .*; found 22; shorten it"):
        read([" ".join(["glad"] * 20)])
    with pytest.raises(UserError, match=r"layer of bert: expected from -3 to 2; found -4"):
        bert.load(learned, "cpu", layer=-4)
    with pytest.raises(UserError, match=r"expected a pretrained model; found no config.json; run dvc repro"):
        bert.load(learned / "nowhere", "cpu", layer=-2)


def test_the_vocabulary_joins_what_is_frequent_and_always_the_same():
    counts = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
    learned = word_pieces.vocabulary(counts, 16)
    letters = {"l", "n", "w", *(f"##{letter}" for letter in "owerstid")}
    assert set(learned[: len(letters)]) == letters
    # "es" and "est" occur nine times, "lo" and "low" seven times, "ew" of "newest" six times.
    assert learned[len(letters) :] == ["##es", "##est", "##ow", "low", "##ew"]
    assert word_pieces.vocabulary(dict(reversed(counts.items())), 16) == learned


def test_a_text_of_one_line_is_one_line(tmp_path):
    (tmp_path / "text.txt").write_text("all the same\nall the same\n")
    with pytest.raises(UserError, match="expected at least two different lines of text; found 1"):
        learn(tmp_path / "text.txt", tmp_path)


def take(root, folder, name="mine"):
    (folder / "taken").mkdir(parents=True, exist_ok=True)
    recipe = hugging_face.Recipe(name=name, revision=None)
    hugging_face.learn(Work(root, folder / "taken", folder, "cpu"), recipe)
    return folder / "taken"


def test_a_bert_of_a_folder_is_taken_with_its_features(learned, tmp_path):
    taken = take(learned.parent, tmp_path, learned.name)
    mine, theirs = (bert.load(folder, "cpu", layer=-1)(["glad sad"])[0]["text"] for folder in (taken, learned))
    assert np.array_equal(mine, theirs)


def test_a_missing_model_offline_says_how_to_get_it(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(
        UserError, match=r"bert-base-uncased: expected config.json; .*hf download bert-base-uncased --local-dir"
    ) as caught:
        take(tmp_path, tmp_path, "bert-base-uncased")
    assert "\n" not in str(caught.value)


def test_another_architecture_and_pickled_weights_are_refused(learned, tmp_path):
    import json
    import shutil

    shutil.copytree(learned, tmp_path / "mine")
    config = tmp_path / "mine" / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps(values | {"model_type": "roberta"}))
    with pytest.raises(UserError, match=r"mine: expected a BERT; found a model of the type 'roberta'"):
        take(tmp_path, tmp_path)
    config.write_text(json.dumps(values))
    (tmp_path / "mine" / "model.safetensors").unlink()
    torch.save({}, tmp_path / "mine" / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"mine: expected weights .*; found no model.safetensors"):
        take(tmp_path, tmp_path)


def test_on_another_device_it_learns_what_it_learns_here(text, tmp_path):
    learn(text, tmp_path / "here", updates=3)
    with pretended.device() as device:
        learn(text, tmp_path / "there", device, updates=3)
    here, there = (pd.read_csv(tmp_path / name / "finished/history.csv") for name in ("here", "there"))
    # Its attention drops other values there.
    losses = ["loss", "held_out_loss"]
    pd.testing.assert_frame_equal(there[losses], here[losses], rtol=0.02)
