"""A victim with a detector beside it: what is fooled and not refused, and the smallest way there."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from small_victims import OnAudio, affine_distance
from test_targeted_transcription import BOUNDS, PHRASES, UNIT, VALUES, victim_and_inputs, word_errors
from torch import nn

from stages.attacking.problem import Setting
from stages.attacks import basic_iterative, bim, cw_normalised, fgsm, targeted_transcription
from stages.auditing.watched import Watched
from stages.victim import Goal, Victim

SIZE = 40
AWAY = Goal(torch.zeros(6, dtype=torch.long), targeted=False)


def linear(rows: torch.Tensor, offsets: torch.Tensor) -> Victim:
    network = nn.Linear(SIZE, len(rows)).double()
    network.load_state_dict({"weight": rows, "bias": offsets})
    network = OnAudio(network)
    network.takes = ("audio",)
    return Victim(network, [str(number) for number in range(len(rows))], bounds={"audio": (-10.0, 10.0)})


@pytest.fixture
def planes():
    """A victim of two labels, a detector, points that it decides for the first and that are benign, and both planes.

    The planes are at an angle of more than 90 degrees, so that the way past one leads towards the other.
    """
    rng = torch.Generator().manual_seed(5)
    decided, seen = torch.randn(2, SIZE, generator=rng, dtype=torch.float64)
    seen = seen / seen.norm() + 0.8 * decided / decided.norm()
    victim = linear(torch.stack([decided, torch.zeros(SIZE)]).double(), torch.tensor([0.0, 0.0]).double())
    points = torch.randn(6, SIZE, generator=rng, dtype=torch.float64)
    along = torch.linalg.lstsq(torch.stack([decided, seen]), torch.tensor([[6.0, 6.0], [0.2, 0.3]]).double()).solution
    points = (
        points - torch.linalg.lstsq(torch.stack([decided, seen]), torch.stack([decided, seen]) @ points.T).solution.T
    )
    points = points + along.T.repeat(3, 1) * torch.linspace(0.8, 1.2, 6)[:, None]

    def score(inputs):
        return {"score": inputs["audio"] @ seen}

    return Watched(victim, score, threshold=0.1, spread=0.5), points, decided, seen


def joint_distance(points, decided, seen):
    """The exact L2 distances to where the victim decides for the second label and the score is .1 or more."""
    # As the region of the first of three labels, which the other two leave on both sides.
    region = linear(torch.stack([0 * decided, decided, -seen]), torch.tensor([0.0, 0.0, 0.1]).double())
    return affine_distance(region, points, 0)


def test_the_smallest_perturbation_past_both_is_found(planes):
    watched, points, decided, seen = planes
    exact = joint_distance(points, decided, seen)
    alone = points @ decided / decided.norm()
    assert (exact > 1.02 * alone).all()  # so the detector is in the way
    parameters = {"iterations": 300, "confidence": 0.0, "step": 0.15, "last_step": 0.01, "resize": 0.1}
    setting = Setting(bounds=watched.bounds)
    result = cw_normalised.attack(watched, {"audio": points}, AWAY, setting=setting, **parameters)
    assert result.success.all()
    torch.testing.assert_close((result.adversarial["audio"] - points).norm(dim=1), exact, rtol=0.02, atol=0)


def smallest_epsilon(point, decided, seen):
    """The least t with decided (x + d) <= 0, seen (x + d) >= .1 and |d| <= t in every value, as a linear program."""
    ones = np.ones((SIZE, 1))
    rows = np.vstack([np.append(decided, 0), np.append(-seen, 0), np.hstack([np.eye(SIZE), -ones])])
    rows = np.vstack([rows, np.hstack([-np.eye(SIZE), -ones])])
    limits = np.concatenate([[-decided @ point, seen @ point - 0.1], np.zeros(2 * SIZE)])
    made = linprog(np.append(np.zeros(SIZE), 1.0), rows, limits, bounds=(None, None))
    return made.fun


@pytest.mark.parametrize("share", [0.97, 1.05])
def test_signed_steps_meet_the_goal_unrefused_from_the_smallest_epsilon_on(planes, share):
    watched, points, decided, seen = planes
    for point in points:
        epsilon = share * smallest_epsilon(*(one.numpy() for one in (point, decided, seen)))
        setting = Setting(bounds=watched.bounds, epsilon={"audio": epsilon})
        inputs, goal = {"audio": point[None]}, Goal(AWAY.labels[:1], False)
        parameters = {"steps": 400, "relative_step": 0.02, "random_starts": 0}
        result = bim.attack(watched, inputs, goal, setting=setting, **parameters)
        assert result.success.item() == (share > 1)
        made = result.adversarial["audio"][0]
        assert (made @ decided < 0 and made @ seen >= 0.1) == (share > 1)


def test_margin_meets_and_loss_by_hand():
    victim = linear(torch.eye(2, SIZE).double(), torch.zeros(2).double())
    watched = Watched(
        victim, lambda inputs: {"score": inputs["audio"][:, 2]}, threshold=1.0, spread=2.0, margin_spread=4.0
    )
    goal = Goal(torch.zeros(4, dtype=torch.long), targeted=False)
    x = torch.zeros(4, SIZE).double()
    # The victim's margin is x0 - x1, the detector's (1 - x2) / 2.
    x[:, 0], x[:, 2] = torch.tensor([8.0, 8.0, -8.0, -8.0]).double(), torch.tensor([7.0, -7.0, -7.0, 7.0]).double()
    logits = watched.logits({"audio": x})
    torch.testing.assert_close(
        watched.margin(logits, goal), torch.tensor([2.0, 4.0, 4.0, -2.0]).double(), atol=1e-3, rtol=0
    )
    assert watched.meets(logits, goal).tolist() == [False, False, False, True]
    # The first is 5 spreads from where both would weigh alike, the second's are alike up to what may be rounding.
    expected = torch.tensor([2.0, 4 + np.log(1 + np.exp(-20)) / 10, 4.0, -2 + np.log(1 + np.exp(-10)) / 10])
    torch.testing.assert_close(watched.loss(logits, goal), expected.double(), atol=1e-3, rtol=0)
    assert watched.decode(logits)[0].tolist() == [0, 0, 1, 1]
    assert watched.names(watched.decode(logits)[0]) == ["0", "0", "1", "1"]


@pytest.mark.parametrize("attack", [fgsm, basic_iterative])
def test_attacks_of_given_size_run_on_it(planes, attack):
    watched, points, decided, seen = planes
    parameters = {"eta": None} if attack is fgsm else {"step": {"audio": 0.02}, "counted_on": "audio"}
    setting = Setting(bounds=watched.bounds, epsilon={"audio": 0.5})
    result = attack.attack(watched, {"audio": points}, AWAY, setting=setting, **parameters)
    made = result.adversarial["audio"]
    assert torch.equal(result.success, (made @ decided < 0) & (made @ seen >= 0.1))


def loudest(inputs):
    return {"score": -inputs["audio"].abs().mean(1) * 32768}


@pytest.mark.parametrize(("threshold", "successes"), [(-1000.0, 6), (-100.0, 0)])
def test_a_phrase_is_written_and_the_clip_not_refused(threshold, successes):
    """The detector hears how loud a clip is: it refuses most of what the attack alone makes, or all."""
    victim, inputs = victim_and_inputs()
    victim.module.takes = ("audio", "video")
    setting = Setting(bounds=BOUNDS, epsilon={"audio": 1024 / 32768, "video": 16.0}, quantum=UNIT)
    goal = Goal(victim.encode(PHRASES), True)
    alone = targeted_transcription.attack(victim, inputs, goal, setting=setting, **VALUES)
    watched = Watched(victim, loudest, threshold=threshold, spread=100.0)
    result = targeted_transcription.attack(watched, inputs, goal, setting=setting, **VALUES)
    passed = loudest(result.adversarial)["score"] >= threshold
    assert torch.equal(result.success, (word_errors(victim, result.adversarial) == 0) & passed)
    assert alone.success.all() and (loudest(alone.adversarial)["score"] < threshold).sum() >= 4
    assert result.success.sum() == successes
    assert watched.possible(inputs, goal).all()
    assert watched.logits(inputs).shape[1] == victim.logits(inputs).shape[1] + 1
