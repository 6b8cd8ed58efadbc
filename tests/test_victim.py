"""Victims: goals, characters, the loss of CTC against all paths written out, and folders that models are read from."""

import json
import math

import pandas as pd
import pytest
import torch
from torch import nn

from stages import victim as models
from stages.attacking.treated import behind
from stages.frame import weights
from stages.frame.errors import UserError
from stages.victim import PADDING, Goal, Transcriber, Victim, characters, ctc, labels_of

ALPHABET = [" ", "a", "b", "e", "n"]
BLANK = len(ALPHABET)


class Given(nn.Module):
    """Logits are what comes in, but for a factor."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, inputs):
        return self.factor * inputs["logits"]


def reader():
    return Transcriber(Given(), ALPHABET, bounds={})


def peaked(texts, steps, height=5.0):
    """Logits of the texts' characters, a blank after each, and certain blanks after all."""
    logits = torch.zeros(len(texts), steps, BLANK + 1)
    for row, text in zip(logits, texts):
        row[:, BLANK] = 30
        for place, character in enumerate(text):
            row[2 * place : 2 * place + 2] = 0
            row[2 * place, ALPHABET.index(character)] = row[2 * place + 1, BLANK] = height
    return logits


def test_texts_become_characters_and_back():
    texts = ["", "a", "been a bee", "ab"]
    labels = characters(texts, ALPHABET)
    assert labels.shape == (4, 10) and labels.dtype == torch.long
    assert labels[1].tolist() == [1] + [PADDING] * 9
    assert reader().names(reader().encode(texts)) == texts
    assert characters([""], ALPHABET).shape == (1, 1)
    with pytest.raises(UserError, match=r"the text 'axe': expected characters of ' aben'; found 'x'"):
        characters(["ab", "axe"], ALPHABET)


def test_a_goal_is_reached_however_wide_the_decisions_are():
    victim = reader()
    wanted = ["bee", "a bee", "ab"]
    decided, _ = victim.decode(peaked(["bee", "a ben", "abb"], 30))
    assert victim.names(decided) == ["bee", "a ben", "abb"]
    assert decided.shape == (3, 30)
    # A text is not reached by one that begins with it, nor by a part of itself.
    assert Goal(victim.encode(wanted), True).reached(decided).tolist() == [True, False, False]
    assert Goal(victim.encode(wanted), False).reached(decided).tolist() == [False, True, True]
    narrow, _ = victim.decode(peaked(["b"], 2))
    assert Goal(victim.encode(["bee"]), True).reached(narrow).tolist() == [False]
    assert Goal(victim.encode(["b"]), True).reached(narrow).tolist() == [True]


class Read(Given):
    """The same, of so many steps of each clip."""

    def steps(self, inputs):
        return inputs["steps"]


def test_how_sure_a_text_is_does_not_depend_on_what_pads_it():
    victim = Transcriber(Read(), ALPHABET, bounds={})
    logits = peaked(["bee", "a"], 6)
    logits[1, 2:] = peaked([""], 4)
    inputs = {"logits": logits, "steps": torch.tensor([6, 2])}
    (text, longer), (alone, shorter) = (
        victim.decide({"logits": logits[1:, :end], "steps": inputs["steps"][1:]}) for end in (6, 2)
    )
    assert victim.names(text) == victim.names(alone) == ["a"]
    step = torch.softmax(torch.tensor([5.0, *[0.0] * BLANK]), 0)[0]
    assert longer.item() == pytest.approx(step.item()) and torch.equal(longer, shorter)
    assert victim.decide(inputs)[1][1] == longer


def test_a_text_is_possible_where_it_has_as_many_steps_as_it_takes():
    victim = Transcriber(Read(), ALPHABET, bounds={})
    inputs = {"steps": torch.tensor([5, 4, 4, 3])}
    labels = victim.encode(["abba", "abba", "abea", "abea"])
    assert victim.possible(inputs, Goal(labels, True)).tolist() == [True, False, True, False]
    assert victim.possible(inputs, Goal(labels, False)).all()
    one, two = (Victim(Given(), labels, bounds={}) for labels in (["a"], ["a", "b"]))
    own = Goal(torch.zeros(3, dtype=torch.long), False)
    assert not one.possible({}, own).any() and two.possible({}, own).all()
    assert one.possible({}, Goal(own.labels, True)).all()


def test_a_path_that_another_batch_may_read_otherwise_meets_no_goal():
    victim = reader()
    logits = peaked(["ab", "ab"], 6)
    logits[1, 0, 3] = logits[1, 0, 1] - 1e-7
    goal = Goal(victim.encode(["ab", "ab"]), True)
    assert goal.reached(victim.decode(logits)[0]).all()
    assert victim.meets(logits, goal).tolist() == [True, False]


@pytest.mark.parametrize("attacked_on", ["logits", "probabilities"])
def test_a_goal_is_met_by_more_than_what_floats_round(attacked_on):
    victim = Victim(Given(), ["a", "b", "c"], bounds={}, attacked_on=attacked_on)
    ahead = torch.tensor([1e-3, 1e-5, 0.0, -1.0])
    logits = torch.stack([torch.full((4,), 10.0), 10 + ahead, torch.full((4,), -20.0)], 1)
    for goal in (Goal(torch.zeros(4, dtype=torch.long), False), Goal(torch.ones(4, dtype=torch.long), True)):
        assert victim.meets(logits, goal).tolist() == [True, False, False, False]
        assert (victim.margin(logits, goal) < 0).tolist() == [True, False, False, False]


@pytest.mark.parametrize("gap", [1.0, 20.0, 60.0])
def test_the_loss_has_the_direction_of_the_cross_entropy_however_sure_a_label_is(gap):
    """In float64 cross-entropy tells the direction up to a gap of 36; in float32 not at 20."""
    logits = torch.tensor([[gap, 0.0, -1.0, 0.5]])
    victim, label = Victim(Given(), list("abcd"), bounds={}), torch.tensor([0])
    others = torch.tensor([0.0, -1.0, 0.5]).softmax(0)
    expected = torch.tensor([[1.0, *(-others).tolist()]])
    for targeted, sign in ((False, 1), (True, -1)):
        point = logits.clone().requires_grad_()
        loss = victim.loss(point, Goal(label, targeted))
        assert torch.allclose(torch.autograd.grad(loss.sum(), point)[0], sign * expected, atol=1e-6)
        if gap < 10:
            entropy = nn.functional.cross_entropy(logits, label, reduction="none")
            assert torch.allclose(nn.functional.softplus(-sign * loss), entropy)


def test_the_loss_of_a_sure_text_has_a_direction():
    victim, labels = reader(), characters(["ab"], ALPHABET)
    directions = []
    for height in (5.0, 25.0):
        logits = peaked(["ab"], 4, height=height).requires_grad_()
        (gradient,) = torch.autograd.grad(victim.loss(logits, Goal(labels, True)).sum(), logits)
        directions.append(gradient.flatten() / gradient.norm())
    assert directions[0] @ directions[1] > 0.99


def test_goals_of_classes_are_as_before():
    victim = Victim(Given(), ["a", "b"], bounds={})
    assert victim.encode(["b", "a"]).tolist() == [1, 0] and victim.names(torch.tensor([1, 0])) == ["b", "a"]
    decided = torch.tensor([1, 1])
    assert Goal(victim.encode(["b", "a"]), True).reached(decided).tolist() == [True, False]
    assert Goal(victim.encode(["b", "a"]), False).reached(decided).tolist() == [False, True]


def test_the_loss_is_pytorchs_for_texts_of_different_lengths():
    torch.manual_seed(1)
    logits = torch.randn(3, 20, BLANK + 1)
    texts = ["been a bee", "a", "ab ab"]
    joined = torch.tensor([ALPHABET.index(character) for text in texts for character in text])
    expected = nn.functional.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1), joined, (20, 20, 20), (10, 1, 5), blank=BLANK, reduction="none"
    )
    labels = characters(texts, ALPHABET)
    assert torch.allclose(ctc(logits, labels), expected)
    victim, inputs = reader(), {"logits": logits}
    assert torch.allclose(victim.loss(victim.logits(inputs), Goal(labels, True)), expected)
    assert torch.allclose(victim.loss(victim.logits(inputs), Goal(labels, False)), -expected)


def test_certain_blanks_after_the_end_change_neither_text_nor_loss():
    torch.manual_seed(3)
    logits = torch.randn(2, 8, BLANK + 1)
    after = peaked([""], 5).expand(2, -1, -1)
    longer, labels = torch.cat([logits, after], 1), characters(["ab", "a bee"], ALPHABET)
    assert torch.allclose(ctc(longer, labels), ctc(logits, labels), atol=1e-5)
    victim = reader()
    assert victim.names(victim.decode(longer)[0]) == victim.names(victim.decode(logits)[0])


def test_labels_are_the_classes_or_the_alphabet_of_the_texts():
    table = pd.DataFrame({"label": ["b", "a", "b"], "text": ["one", "two", "one"]})
    assert labels_of(table) == (["a", "b"], "label")
    assert labels_of(table.assign(label="")) == (["e", "n", "o", "t", "w"], "text")


def test_a_label_that_is_not_decided_on_is_an_error():
    victim = Victim(Given(), ["a", "b"], bounds={})
    with pytest.raises(UserError, match="what the clips are to become: expected labels of a, b; found 'c'"):
        victim.encode(["a", "c"])


class Halved(nn.Module):
    """A treatment: sound half as loud."""

    def forward(self, inputs):
        return inputs["audio"] / 2


class Sums(nn.Module):
    """Logits are the sums of a sound and of a picture; only the picture is prepared."""

    takes = ("audio", "video")

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def prepare(self, inputs):
        return inputs | {"video": inputs["video"] + 1}

    def forward(self, inputs):
        return self.factor * torch.stack([inputs["audio"].sum(1), inputs["video"].sum(1)], 1)


@pytest.mark.parametrize("kind", [Victim, Transcriber])
def test_behind_a_treatment_a_victim_decides_on_what_it_leaves_of_the_sound(kind):
    bounds = {"audio": (-1.0, 1.0)}
    alone = kind(Sums(), ["a", "b"], bounds=bounds, attacked_on="probabilities")
    whole = behind(Halved(), alone)
    assert type(whole) is kind and whole.labels == alone.labels and whole.bounds == bounds
    assert whole.attacked_on == "probabilities" and whole.module.takes == ("audio", "video")
    inputs = {"audio": torch.tensor([[0.5, 0.25]]), "video": torch.tensor([[1.0]])}
    assert whole.module.prepare(inputs)["video"].tolist() == [[2.0]]
    assert whole.logits(inputs).tolist() == [[0.375, 1.0]]
    assert inputs["audio"].tolist() == [[0.5, 0.25]]


def saved(folder, **changes):
    """A small model of images in a folder."""
    config = {
        "network": "cnn4",
        "parameters": {"width": 0.0625, "layers": 2},
        "signal": {"mels": 16},
        "labels": ["a", "b"],
        "decides": "label",
        "bounds": {"log_mel": None},
    }
    module = models.build("cnn4", 2, config["parameters"], where="t", signal=config["signal"])
    folder.mkdir()
    weights.save(folder, module, config | changes)
    return module


def test_a_folder_says_of_which_network_a_model_is_and_what_it_is_attacked_on(tmp_path):
    module = saved(tmp_path / "plain")
    loaded = models.load(tmp_path / "plain", device="cpu")
    images = {"log_mel": torch.randn(2, 32, 16)}
    assert torch.equal(loaded.logits(images), module.eval()(images))
    assert loaded.attacked_on == "logits" and loaded.bounds == {"log_mel": (-math.inf, math.inf)}
    saved(tmp_path / "probable", attacked_on="probabilities")
    assert models.load(tmp_path / "probable", device="cpu").attacked_on == "probabilities"


def test_a_folder_that_is_no_whole_model_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: expected a trained model; found no config\.json; run dvc repro"):
        models.load(tmp_path / "nowhere", device="cpu")
    saved(tmp_path / "model", signal={"mels": 8})
    saved(tmp_path / "other", parameters={"width": 0.125, "layers": 2})
    with pytest.raises(UserError, match=r"safetensors: expected weights of this network; found .*train it again"):
        models.load(tmp_path / "other", device="cpu")
    (tmp_path / "model" / "weights.safetensors").unlink()
    with pytest.raises(UserError, match=r"model: expected weights of a trained model; found no weights\.safetensors"):
        models.load(tmp_path / "model", device="cpu")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps(config | {"network": "cnn5"}))
    with pytest.raises(UserError, match=r"other\.network: expected a file stages/networks/<name>\.py .*; found 'cnn5'"):
        models.load(tmp_path / "other", device="cpu")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"signal": {"sample_rate_hz": 8000}}, r"signal\.sample_rate_hz: expected one of mels"),
        ({"signal": {"mels": 8.5}}, r"signal\.mels: expected a whole number"),
        ({"signal": {}}, r"\.mels: expected a value; found none"),
        ({"bounds": {"log_mel": [1, -1]}}, r"config\.json: bounds: expected .* a lower and a higher one"),
        ({"labels": ["a", "a"]}, r"config\.json: labels: expected a list of text that differ"),
        ({"parameters": {"width": 50.0, "layers": 1}}, r"expected a network of about as many weights as"),
    ],
)
def test_a_config_that_is_not_the_weights_own_is_one_line(tmp_path, changed, message):
    saved(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | changed))
    with pytest.raises(UserError, match=message) as caught:
        models.load(tmp_path / "model", device="cpu")
    assert str(tmp_path) in str(caught.value)


def test_a_front_end_beside_a_model_that_takes_sound_as_it_is_is_one_line(tmp_path):
    saved(tmp_path / "model")
    (tmp_path / "front_end").mkdir()
    with pytest.raises(UserError, match=r"front_end: expected no front end beside a model that takes sound as it is"):
        models.load(tmp_path / "model", device="cpu")
