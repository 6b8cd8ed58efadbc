"""Victims: goals, characters, the loss of CTC against all paths written out, and folders that models are read from."""

import itertools
import json
import math

import pandas as pd
import pytest
import torch
from torch import nn

from stages import victim as models
from stages.attacking.treated import behind
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


def test_goals_of_classes_are_as_before():
    victim = Victim(Given(), ["a", "b"], bounds={})
    assert victim.encode(["b", "a"]).tolist() == [1, 0] and victim.names(torch.tensor([1, 0])) == ["b", "a"]
    decided = torch.tensor([1, 1])
    assert Goal(victim.encode(["b", "a"]), True).reached(decided).tolist() == [True, False]
    assert Goal(victim.encode(["b", "a"]), False).reached(decided).tolist() == [False, True]


def test_the_loss_is_minus_the_logarithm_of_the_sum_over_all_paths():
    torch.manual_seed(0)
    logits = torch.randn(4, 6, 4, dtype=torch.float64)
    texts = [(), (0,), (1, 1), (2, 0, 2)]
    labels = torch.tensor([[*text, *[PADDING] * (4 - len(text))] for text in texts])
    found = ctc(logits, labels)
    for loss, log_p, text in zip(found, logits.log_softmax(-1), texts):
        paths = [
            path
            for path in itertools.product(range(4), repeat=6)
            if tuple(label for label, _ in itertools.groupby(path) if label != 3) == text
        ]
        assert loss.item() == pytest.approx(-math.log(sum(log_p[range(6), path].sum().exp() for path in paths)))


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
    assert torch.allclose(victim.loss(inputs, Goal(labels, True)), expected)
    assert torch.allclose(victim.loss(inputs, Goal(labels, False)), -expected)


def test_a_text_too_long_has_no_loss_and_no_gradient():
    torch.manual_seed(2)
    logits = torch.randn(3, 4, BLANK + 1, requires_grad=True)
    # Two of the same take a blank between them: five steps.
    losses = ctc(logits, characters(["abba", "abea", "ababa"], ALPHABET))
    assert losses[[0, 2]].tolist() == [0, 0] and losses[1] > 0
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert gradient[[0, 2]].count_nonzero() == 0 and gradient[1].isfinite().all() and gradient[1].count_nonzero() > 0


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
    models.save(folder, module, config | changes)
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
    weights = tmp_path / "model" / "weights.safetensors"
    saved(tmp_path / "other", parameters={"width": 0.125, "layers": 2})
    with pytest.raises(UserError, match=r"other: expected weights of this network; found .*train it again"):
        models.load(tmp_path / "other", device="cpu")
    weights.unlink()
    with pytest.raises(UserError, match=r"model: expected weights of a trained model; found no weights\.safetensors"):
        models.load(tmp_path / "model", device="cpu")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps(config | {"network": "cnn5"}))
    with pytest.raises(UserError, match=r"other\.network: expected a file stages/networks/<name>\.py .*; found 'cnn5'"):
        models.load(tmp_path / "other", device="cpu")
