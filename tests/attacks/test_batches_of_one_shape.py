"""In float32 an example alone comes to the same bytes as in any batch of clips of one length, by every attack."""

import importlib
from pathlib import Path

import pytest
import torch
from minimal_attacks import SETTINGS
from small_victims import OnAudio
from torch import nn

from stages import victim as models
from stages.attacking.problem import Setting, filled
from stages.frame.shards import ShardSet
from stages.networks import deepspeech
from stages.victim import Goal, Transcriber, Victim, padded_batch

SAMPLES, BATCH = 200, 18
ONE_INPUT = {"epsilon": {"audio": 0.02}}
SCORES = {"snr_db": 20.0, "steps": 20, "share": 0.5, "confidence": 0.0}
# The parameters of each attack on labels, and what else of its setting it needs.
ATTACKS = {
    "fgsm": ({"eta": None}, ONE_INPUT),
    "bim": ({"steps": 6, "relative_step": 0.3, "random_starts": 1}, ONE_INPUT),
    "basic_iterative": ({"step": {"audio": 0.004}, "counted_on": "audio"}, ONE_INPUT),
    "fmn": ({"steps": 20, "relative_step": 0.5, "resize": 0.2}, {"epsilon": {"audio": 1.0}}),
    "signs": ({}, ONE_INPUT),
    "square": ({"steps": 20, "share": 0.5, "confidence": 0.0}, ONE_INPUT),
    "bursts": (SCORES, {}),
    "pgd_l2": ({"snr_db": 20.0, "steps": 10, "relative_step": 0.2, "confidence": 0.0}, {}),
    "noise": ({"snr_db": 10.0, "band_hz": None}, {"quantum": {"audio": 2**-15}}),
    "deepfool": (SETTINGS["deepfool"], {}),
    "cw": (SETTINGS["cw"] | {"iterations": 30, "searches": 2, "learning_rate": 1e-2}, {}),
    "cw_normalised": (SETTINGS["cw_normalised"] | {"iterations": 30}, {}),
    "lbfgs": (SETTINGS["lbfgs"] | {"iterations": 5, "searches": 2}, {}),
}
OF_TEXTS = {
    "over_the_air": (
        {"snr_db": 0.0, "iterations": 30, "relative_step": 0.2, "shrink": None, "checked_every": 10, "band_hz": None,
         "noise_snr_db": 30.0, "rooms_per_step": 1, "checked_rooms": 2, "needed": 0.5},
        {"rooms": torch.randn(2, 50, generator=torch.Generator().manual_seed(1)) / 50},
    ),
    "targeted_transcription": (
        {"iterations": 30, "relative_step": 0.2, "shrink": 0.8, "checked_every": 5, "tolerated_wer": 0.0},
        {"epsilon": {"audio": 0.1}},
    ),
}  # fmt: skip


class Last(nn.Module):
    """A recurrent network's output after frames of 20 samples."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.decision = nn.GRU(20, 24, batch_first=True), nn.Linear(24, 6)

    def forward(self, audio):
        return self.decision(self.recurrent(audio.unflatten(1, (-1, 20)))[0][:, -1])


def network(kind: str) -> Victim:
    torch.manual_seed(4)
    layers = [nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 16, 9, 2), nn.ReLU(), nn.Conv1d(16, 16, 9, 2), nn.ReLU()]
    dense = [nn.Flatten(), nn.Linear(704, 32), nn.ReLU(), nn.Linear(32, 6)]
    module = Last() if kind == "recurrent" else nn.Sequential(*layers, *dense)
    return Victim(OnAudio(module), list("abcdef"), bounds={"audio": (-1.0, 1.0)})


def made(name, victim, inputs, goal, rows, of=ATTACKS):
    """The bytes that come of each of the examples `rows`, and what is told of it."""
    values, told = of[name]
    attack = importlib.import_module(f"stages.attacks.{name}").attack
    setting = Setting(bounds=victim.bounds, **told)
    own = {key: value[rows] for key, value in inputs.items()}
    result = filled(attack, BATCH)(victim, own, Goal(goal.labels[rows], goal.targeted), setting=setting, **values)
    told = (one.tolist() for one in (result.iterations, result.success, result.forwards, result.backwards))
    return list(zip((one.numpy().tobytes() for one in result.adversarial["audio"]), *told))


@pytest.mark.parametrize("kind", ["convolutional", "recurrent"])
@pytest.mark.parametrize("name", ATTACKS)
def test_of_labels(name, kind):
    victim = network(kind)
    loud = torch.linspace(0.02, 0.5, BATCH)[:, None]
    inputs = {"audio": loud * torch.randn(BATCH, SAMPLES), "audio_length": torch.full((BATCH,), SAMPLES)}
    if name == "square":
        inputs = {"audio": inputs["audio"].unflatten(1, (10, 20))}
    labels = victim.logits(inputs).argmax(1)
    goal = Goal((labels + 1) % 6 if name == "lbfgs" else labels, targeted=name == "lbfgs")
    together = made(name, victim, inputs, goal, list(range(BATCH)))
    # The one that is done first, and the one that is by itself at the end.
    for which in (min, max):
        own = which(range(BATCH), key=lambda row: together[row][1])
        assert made(name, victim, inputs, goal, [own])[0] == together[own]
        assert made(name, victim, inputs, goal, [7, own, 5])[1] == together[own]


@pytest.mark.parametrize("name", OF_TEXTS)
def test_of_transcripts(name):
    torch.manual_seed(5)
    sizes = {"coefficients": 13, "context": 2, "hidden_units": [32, 32, 32], "lstm_units": 24, "last_units": 32}
    module = deepspeech.build(3, sample_rate_hz=16_000, window_s=0.025, hop_s=0.02, dropout=0.0, **sizes)
    victim = Transcriber(module, [" ", "a", "b"], bounds={"audio": (-1.0, 1.0)})
    lengths = torch.full((BATCH,), 4000)
    lengths[3] = 3100
    audio = 0.1 * torch.randn(BATCH, 4000) * (torch.arange(4000) < lengths[:, None])
    inputs, goal = {"audio": audio, "audio_length": lengths}, Goal(victim.encode(["ab", "b a", "ba"] * 6), True)
    of = {one: (values, told | {"quantum": {"audio": 2**-15}}) for one, (values, told) in OF_TEXTS.items()}
    (alone,) = made(name, victim, inputs, goal, [0], of)
    assert alone[0] != audio[0].numpy().tobytes()
    assert made(name, victim, inputs, goal, list(range(BATCH)), of)[0] == alone
    assert made(name, victim, inputs, goal, [0, 4, 3], of)[0] == alone


@pytest.mark.parametrize("name", ["vgg13", "crnn"])
def test_of_the_models_of_events(name):
    """On clips of one length; those of different lengths are attacked one by one."""
    folder, clips = Path("models/events", name), Path("data/events/audio")
    if not (folder / "weights.safetensors").is_file() or not (clips / "clips.csv").is_file():
        pytest.skip("events has not run here")
    victim, clips = models.load(folder, device="cpu"), ShardSet(clips)
    sounds = [clips.load(one)["audio"][:16000] for one in clips.table.clip_id[clips.table.problem == ""]]
    sounds = [sound for sound in sounds if len(sound) == 16000][:BATCH]
    inputs = victim.module.prepare(padded_batch(sounds, "cpu"))
    goal = Goal(victim.logits(inputs).argmax(1), targeted=False)
    (alone,) = made("pgd_l2", victim, inputs, goal, [0])
    assert made("pgd_l2", victim, inputs, goal, list(range(BATCH)))[0] == alone
    assert made("pgd_l2", victim, inputs, goal, [0, 4, 2])[0] == alone
