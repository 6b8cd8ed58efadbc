"""What becomes of attacked clips: rounded to the files' whole numbers, and judged by what the files then do."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stages.attacking import made
from stages.attacking.problem import Result, Setting, rounded
from stages.frame.errors import UserError
from stages.victim import Transcriber, Victim

BOUNDS = {"audio": (-1.0, 1 - 2**-15), "video": (0.0, 255.0)}
QUANTUM = {"audio": 2**-15, "video": 1.0}


class Loud(nn.Module):
    """Decides on whether the sum of a sound is above 0.25 steps of 16 bits."""

    takes = ("audio", "video")

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def prepare(self, inputs):
        return inputs

    def forward(self, inputs):
        loudness = self.scale * (inputs["audio"].sum(1) * 2**15 - 0.25)
        return torch.stack([-loudness, loudness], 1)


def adding(steps):
    """An attack that adds so many 16-bit steps to the first sample, half a grey level to every picture."""

    def attack(victim, inputs, goal, *, setting):
        audio = inputs["audio"].clone()
        audio[:, 0] += steps * 2**-15
        adversarial = inputs | {"audio": audio, "video": inputs["video"] + 0.4}
        with torch.no_grad():
            label, _ = victim.decode(victim.logits(adversarial))
        one = torch.ones(len(audio), dtype=torch.long)
        return Result(adversarial, goal.reached(label), one, 2 * one, 3 * one, goal.labels < 0)

    return attack


def run(steps, quantum=QUANTUM, kept=(True, False)):
    victim = Victim(Loud(), ["quiet", "loud"], bounds=BOUNDS)
    clips = [
        # Sound that is on no 16-bit grid, as after resampling.
        {"audio": np.full(length, 0.2 * 2**-15, "f4"), "video": np.full((2, 3, 3), 250, "u1")}
        for length in (1, 1)
    ]
    rows = pd.DataFrame({"key": ["a", "b"], "label": "quiet", "text": "", "target": "", "kept": kept})
    rows = rows.assign(folder="f", strength=None)
    return made.attacked(rows, clips, victim, adding(steps), Setting(bounds=BOUNDS, quantum=quantum))


def test_success_is_what_the_file_does_and_found_what_the_attack_says():
    table, arrays = run(0.4)
    assert table.found.all() and not table.success.any()
    assert set(table.adversarial_prediction) == {"quiet"} == set(table.clean_prediction)
    assert arrays[0]["audio"].tolist() == [0] and arrays[0]["audio"].dtype == np.int16
    table, arrays = run(0.6)
    assert table.found.all() and table.success.all() and arrays[0]["audio"].tolist() == [1]


class Heard(nn.Module):
    """All outputs alike, one step for sixteen samples."""

    takes = ("audio",)

    def __init__(self, outputs=0.0):
        super().__init__()
        self.outputs = nn.Parameter(torch.tensor(outputs))

    def prepare(self, inputs):
        return inputs

    def steps(self, inputs):
        return inputs["audio_length"] // 16

    def forward(self, inputs):
        return self.outputs * torch.ones(len(inputs["audio"]), inputs["audio"].shape[1] // 16, 3)


def test_a_phrase_that_is_impossible_is_marked_and_not_tried():
    victim = Transcriber(Heard(), ["a", "b"], bounds={"audio": BOUNDS["audio"]})
    clips = [{"audio": np.full(length, 0.25, "f4")} for length in (64, 32, 48)]
    rows = pd.DataFrame({"key": ["x", "y", "z"], "label": "", "text": "ab", "target": ["aab", "aab", "bab"]})
    rows = rows.assign(kept=True, folder="f", strength=None)
    tried = []

    def attack(victim, inputs, goal, *, setting):
        tried.extend(zip(victim.names(goal.labels), inputs["audio_length"].tolist()))
        one = torch.ones(len(goal.labels), dtype=torch.long)
        return Result(inputs | {"audio": inputs["audio"] / 2}, one.bool(), one, one, one, one.bool())

    table, arrays = made.attacked(rows, clips, victim, attack, Setting(bounds=victim.bounds, quantum={"audio": 2**-15}))
    assert tried == [("aab", 64), ("aab", 64), ("bab", 48)]
    assert table.impossible.tolist() == [False, True, False]
    assert table.found.tolist() == table.zero_gradient.tolist() == [True, False, True]
    assert table.forwards.tolist() == [1, 0, 1] and not table.success.any()
    assert [int(one["audio"][0]) for one in arrays] == [4096, 8192, 4096]
    table, _ = made.attacked(rows[1:2], clips[1:2], victim, attack, Setting(bounds=victim.bounds))
    assert len(tried) == 3 and table.impossible.all() and not table.found.any()


def test_outputs_that_are_no_numbers_are_told():
    victim = Transcriber(Heard(outputs=float("nan")), ["a", "b"], bounds={"audio": BOUNDS["audio"]})
    rows = pd.DataFrame({"key": ["x"], "label": "", "text": "ab", "target": "ab"})
    rows = rows.assign(kept=True, folder="f", strength=None)
    with pytest.raises(UserError, match=r"x: expected finite numbers as what the victim makes of it"):
        made.attacked(rows, [{"audio": np.zeros(64, "f4")}], victim, adding(1), Setting(bounds=victim.bounds))


def test_sizes_are_those_of_the_files_and_passes_of_the_attack():
    table, arrays = run(0.6)
    assert table.linf_audio.tolist() == table.l2_audio.tolist() == [2**-15] * 2
    # 0.4 of a grey level is none.
    assert table.linf_video.tolist() == [0, 0] and arrays[0]["video"].dtype == np.uint8
    assert (arrays[0]["video"] == 250).all()
    assert table[["iterations", "forwards", "backwards"]].to_numpy().tolist() == [[1, 2, 3]] * 2
    assert np.isneginf(table.snr_db).all()
    assert list(table)[-1] == "kept" and not {"folder", "strength"} & set(table)


def test_only_what_is_kept_has_arrays_and_without_a_quantum_it_stays_as_it_is():
    table, arrays = run(0.6)
    assert table.kept.tolist() == [True, False] and arrays[1] == {}
    table, arrays = run(0.4, quantum=None, kept=(True, True))
    assert table.success.all() and arrays[1]["audio"][0] == pytest.approx(0.6 * 2**-15)
    assert arrays[0]["video"] == pytest.approx(250.4)


def test_rounding_keeps_to_the_range_of_files():
    inputs = {"audio": torch.tensor([[0.99999, -1.0, 0.5 + 2**-17]]), "video": torch.tensor([[255.4, -0.3, 7.6]])}
    whole = rounded(inputs | {"audio_length": torch.tensor([3])}, QUANTUM)
    assert whole["audio"].tolist() == [[1 - 2**-15, -1.0, 0.5]] and whole["video"].tolist() == [[255.0, 0.0, 8.0]]
    assert whole["audio_length"].tolist() == [3]
    assert rounded(inputs, None) == inputs


def test_an_epsilon_is_in_each_inputs_own_scale():
    bounds = {"audio": (-1.0, 1.0)}
    assert made.scaled(None, {}, bounds) is None
    assert made.scaled(0.5, {}, {"log_mel": (-math.inf, math.inf)}) == {"log_mel": 0.5}
    unit = {"audio": 2**-15, "video": 0.25}
    assert made.scaled({"audio": 64, "video": 8}, unit, BOUNDS) == {"audio": 64 / 2**15, "video": 2.0}
    assert made.scaled({"video": 8}, unit, BOUNDS) == {"video": 2.0}


@pytest.mark.parametrize(
    ("strength", "unit", "message"),
    [
        ({"sound": 1.0}, {}, "expected inputs audio, video; found 'sound'"),
        ({"audio": 1.0}, {"vidoe": 1.0}, "expected inputs audio, video; found 'vidoe'"),
        (0.5, {}, "expected one for each of audio, video; found 0.5"),
    ],
)
def test_an_epsilon_that_fits_no_input_is_an_error(strength, unit, message):
    with pytest.raises(UserError, match=message):
        made.scaled(strength, unit, BOUNDS)
