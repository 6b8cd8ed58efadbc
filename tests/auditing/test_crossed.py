"""One victim, defences and attacks: what an attacker who knows gains, on victims whose answers are known."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from planes import BOUNDS, GRID, PGD, SAMPLES, TOLD, batch_of, run, way
from small_victims import Plane
from torch import nn

from stages.attacks import bim, fmn, noise, pgd_l2
from stages.auditing import attempt, defences
from stages.auditing.attempt import Run, rightly
from stages.auditing.crossed import DOUBLED, crossed, in_turn
from stages.auditing.entries import Attack
from stages.frame.clip_table import stable_hash
from stages.frame.pcm import from_pcm16, to_pcm16
from stages.treatments import none, resample, white_noise
from stages.victim import Goal, Victim


@pytest.fixture
def victim():
    weights = torch.from_numpy(np.random.default_rng(3).normal(0, 1, SAMPLES)).float()
    return Victim(Plane(weights / weights.norm(), 0.05), ["a", "b"], bounds=BOUNDS)


def left(rows, knowledge, budget, times=1):
    own = rows[(rows.knowledge == knowledge) & (rows.budget == budget) & (rows.times == times)]
    return own.set_index("key").right


def test_who_knows_of_a_linear_treatment_needs_no_more_than_the_distance_through_it(victim):
    batch, half = batch_of(victim), way(resample, rate_hz=6000)
    with torch.no_grad():
        base = half.through()({"audio": torch.eye(SAMPLES), "audio_length": torch.full((SAMPLES,), SAMPLES)})
        heard = half.through()(batch.inputs)
        weights = victim.module.weights
        exact = ((heard @ weights) + victim.module.offset).abs() / (base @ weights).norm()
    snr_db = 20 * torch.log10(batch.inputs["audio"].norm(dim=1) / exact)
    defence = defences.treated(victim, half, draws=8)
    assert not defence.chance
    for row, exactly in enumerate(snr_db.tolist()):
        own = batch.only(np.arange(3) == row)
        margin_db = 20 * math.log10(1.02)
        short, enough = exactly + margin_db, exactly - margin_db
        grid, attack = replace(GRID, budgets=[short, enough]), run(pgd_l2.attack, ["unaware", "aware"], **PGD)
        rows = crossed(defence, [own], attack, grid)
        assert (rightly(defence, own, own.inputs, grid.hearings) == 1).all()
        assert (left(rows, "aware", short) == 1).all()
        assert (left(rows, "aware", enough) == 0).all()
        assert (left(rows, "unaware", enough) == 1).all()  # half of it is lost on the way
        assert set(rows.times) == {1}
        np.testing.assert_allclose(rows[rows.budget == enough].reached, enough, atol=0.05)
        rows = crossed(defence, [own], attack, replace(GRID, budgets=[short]))
        assert (left(rows, "aware", short) == 1).all() and (left(rows, "aware", short, times=2) == 1).all()
        assert set(rows.times) == {1, 2}


def test_through_nothing_knowing_gains_nothing(victim):
    batch = batch_of(victim)
    near = 20 * math.log10(float(batch.inputs["audio"][0].norm()) / 0.02)
    grid = replace(GRID, budgets=[near, 0.0])
    rows = crossed(
        defences.treated(victim, way(none), draws=8), [batch], run(pgd_l2.attack, ["unaware", "aware"], **PGD), grid
    )
    for budget in grid.budgets:
        pd.testing.assert_series_equal(left(rows, "unaware", budget), left(rows, "aware", budget))
    assert left(rows, "aware", near).any()
    assert not left(rows, "aware", 0.0).any()


def test_success_under_fresh_noise_is_what_expectation_over_draws_says(victim):
    """At the plane but for a tenth of what noise moves a clip: so often is it decided wrongly."""
    batch = batch_of(victim, 1)
    clip = batch.inputs["audio"][0]
    sigma = float(clip.norm()) * 10 ** (-10 / 20) / math.sqrt(SAMPLES)
    with torch.no_grad():
        gap = float(victim.logits(batch.inputs)[0, 0].abs())
    budget = 20 * math.log10(float(clip.norm()) / (gap + 0.5 * sigma))
    rows = crossed(
        defences.treated(victim, way(white_noise, snr_db=10.0), draws=32),
        [batch],
        run(pgd_l2.attack, ["aware"], **PGD | {"confidence": 9.0}),
        replace(GRID, budgets=[budget], hearings=400),
    )
    fooled = 1 - left(rows, "aware", budget).item()
    expected = 0.5 * (1 + math.erf(0.5 / math.sqrt(2)))
    assert fooled == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / 400))


def test_of_the_first_clips_what_is_heard_is_kept_as_it_was_decided_on(victim):
    """By the draw of the first hearing, at the loudest budget alone."""
    batch, defence = batch_of(victim, 4), defences.treated(victim, way(white_noise, snr_db=-20.0), draws=1)
    grid = replace(GRID, budgets=[40.0, 20.0], hearings=3)
    rows = crossed(defence, [batch], run(pgd_l2.attack, ["unaware"], **PGD), grid)
    kept = rows[rows.arrays.map(bool)]
    assert list(kept.key) == ["clip0", "clip1", "clip2"] and set(kept.budget) == {20.0}
    for row in kept.itertuples():
        example, heard = (from_pcm16(row.arrays[name]) for name in ("audio", "heard"))
        clean = batch.inputs["audio"][int(row.key[-1])].numpy()
        assert 20 * math.log10(np.linalg.norm(clean) / np.linalg.norm(example - clean)) == pytest.approx(20, abs=0.1)
        (again,) = white_noise.treat([example], seeds=[stable_hash(row.key)], snr_db=-20.0, **TOLD)
        np.testing.assert_array_equal(heard, from_pcm16(to_pcm16(again)))
        decided = victim.decide({"audio": torch.from_numpy(heard)[None], "audio_length": torch.tensor([SAMPLES])})[0]
        assert row.decision == victim.names(decided)[0]


def test_a_perturbation_is_lowered_to_where_it_arrives_and_no_further(victim):
    """On a plane to the distance, to a half of a thirty-second part of the decibels; from the quietest budget."""
    batch = batch_of(victim)
    with torch.no_grad():
        gap = victim.logits(batch.inputs)[:, 0].abs()
    exact = 20 * torch.log10(batch.inputs["audio"].norm(dim=1) / gap)
    # From the louder one alone 16 dB would not suffice.
    grid = replace(GRID, budgets=[float(exact.min()) - 1, float(exact.min()) - 15.5])
    defence = defences.treated(victim, way(none), draws=1)
    rows = crossed(defence, [batch], run(pgd_l2.attack, ["unaware", "aware"], **PGD), grid)
    told = rows[rows.knowledge == "aware"].groupby("key").arrives
    assert (told.nunique() == 1).all() and rows[rows.knowledge == "unaware"].arrives.isna().all()
    step = attempt.QUIETER_DB / 2**attempt.HALVINGS
    lowered = (exact.numpy() - told.first().to_numpy()) / step
    within = exact.numpy() - grid.budgets[0] < attempt.QUIETER_DB
    assert within.any() and (lowered[within] > -0.1).all() and (lowered[within] < 1.1).all()


def test_what_arrives_without_knowing_costs_who_knows_nothing(victim):
    """Of three clips one stands: on it alone there is a second attack, and by scores a third."""
    batch, asked = batch_of(victim), []
    with torch.no_grad():
        gap = victim.logits(batch.inputs)[:, 0].abs()
    exact = 20 * torch.log10(batch.inputs["audio"].norm(dim=1) / gap)
    stands = int(exact.argmin())
    budget = float(exact.sort().values[:2].mean())

    def counted(*given, **told):
        asked.append(len(given[2].labels))
        return pgd_l2.attack(*given, **told, **PGD)

    known = Attack(attack="", knowledge=["unaware", "aware"], access="gradient")
    runs = [
        Run(name="scores", entry=replace(known, knowledge=["aware"], access="scores"), times={1: counted}),
        Run(name="pgd", entry=known, times=dict.fromkeys((1, *DOUBLED), counted)),
    ]
    defence = defences.treated(victim, way(none), draws=1)
    rows = in_turn(defence, [batch], runs, replace(GRID, budgets=[budget]))
    # All without knowing; the one that stands knowing, with more steps, without a bound, and by scores.
    assert asked == [3, 1, 1, 1, 1]
    assert set(rows.key[rows.attack == "scores"]) == {f"clip{stands}"}
    pd.testing.assert_series_equal(left(rows, "unaware", budget), left(rows[rows.attack == "pgd"], "aware", budget))


def test_at_a_quieter_budget_what_fell_is_attacked_from_what_brought_it_down(victim):
    """Of three clips one stands at the louder budget: at the quieter one it has what did not suffice, lowered."""
    batch, asked = batch_of(victim), []
    with torch.no_grad():
        gap = victim.logits(batch.inputs)[:, 0].abs()
    exact = 20 * torch.log10(batch.inputs["audio"].norm(dim=1) / gap)
    stands, loud = int(exact.argmin()), float(exact.sort().values[:2].mean())
    grid = replace(GRID, budgets=[loud + 6, loud])

    def counted(*given, snr_db, start=None, steps=PGD["steps"], **told):
        asked.append((snr_db, len(given[2].labels), start and start["audio"].clone()))
        return pgd_l2.attack(*given, snr_db=snr_db, start=start, **told, **PGD)

    entry = Attack(attack="", knowledge=["unaware", "aware"], access="gradient", continues=True)
    attack = Run(name="pgd", entry=entry, times=dict.fromkeys((1, *DOUBLED), counted))
    rows = crossed(defences.treated(victim, way(none), draws=1), [batch], attack, grid)
    assert [one[:2] for one in asked[:3]] == [(loud, 3), (loud, 1), (loud, 1)]  # bare, knowing, with more steps
    (_, _, begun), *more = [one for one in asked if one[0] == loud + 6]
    louder = batch.bare["pgd", loud].adversarial["audio"]
    assert torch.equal(begun, louder[torch.arange(3) != stands])
    # Who knows attacks those of the two that do not fall at the quieter budget.
    assert all(count <= 2 and start is not None for _, count, start in more)
    quiet = rows[(rows.budget == loud + 6) & (rows.key == f"clip{stands}")]
    assert (quiet.right == 1).all() and not quiet.forwards.any()
    np.testing.assert_allclose(quiet.reached, loud + 6, atol=0.05)
    made = batch.bare["pgd", loud + 6].adversarial["audio"][stands] - batch.inputs["audio"][stands]
    before = louder[stands] - batch.inputs["audio"][stands]
    torch.testing.assert_close(made, before * 10 ** (-6 / 20), atol=2**-15, rtol=0)


def test_who_keeps_what_is_made_without_knowing_is_heard_but_once_and_looks_no_longer_than_it_arrives(victim):
    """At first all clips fall without knowing; at a hundredth of it none does, which the first look tells."""
    looked, heard = [], []
    noisy = way(white_noise, snr_db=60.0)

    def through():
        treat = noisy.through()
        return lambda inputs: looked.append(len(inputs["audio"])) or treat(inputs)

    def counted(*given, **told):
        asked.append(len(looked))
        return pgd_l2.attack(*given, **told, **PGD | {"steps": 1})

    defence = defences.treated(victim, replace(noisy, through=through), draws=1)
    defence = replace(defence, decide=lambda *given, decide=defence.decide: heard.append(given) or decide(*given))
    entry = Attack(attack="", knowledge=["unaware", "aware"], access="gradient")
    attack = Run(name="pgd", entry=entry, times=dict.fromkeys((1, *DOUBLED), counted))
    for budget, expected in ((0.0, [0]), (40.0, [0, 1])):
        looked.clear(), heard.clear()
        asked = []
        rows = crossed(defence, [batch_of(victim)], attack, replace(GRID, budgets=[budget], hearings=5))
        assert asked[: len(expected)] == expected
        if budget == 0.0:
            assert len(rows) == 6 and not rows.right.any()
            assert asked == [0] and looked == [3] * attempt.LOOKS and len(heard) == 1 + attempt.HALVINGS
            assert len(heard[0][1]) == 3 * 5 == len(set(heard[0][1]))  # all hearings at once, each by its own draw


def test_the_smallest_perturbation_is_told_at_each_budget_and_lowered_where_it_is_larger(victim):
    """On a plane it is the gap over the weights' L1 norm."""
    batch = batch_of(victim)
    with torch.no_grad():
        exact = (victim.logits(batch.inputs)[:, 0].abs() / victim.module.weights.abs().sum()).sort().values.numpy()
        order = victim.logits(batch.inputs)[:, 0].abs().argsort().tolist()
    between = [float(np.sqrt(exact[0] * exact[1])), float(np.sqrt(exact[1] * exact[2]))]
    grid = replace(GRID, budgets=between, budget_in="epsilon", unlimited=1.0)
    batch = replace(batch, quantum=None)
    steps = {"steps": 40, "relative_step": 0.5, "resize": 0.2}
    attack = run(fmn.attack, ["aware"], **steps)
    attack = replace(attack, entry=replace(attack.entry, smallest=True))
    rows = in_turn(defences.trained(victim, victim), [batch], [attack], grid)
    assert set(rows.attack) == {"pgd"} and len(rows) == 9
    for place, row in enumerate(order):
        own = rows[rows.key == f"clip{row}"].set_index("budget")
        np.testing.assert_allclose(own.arrives, exact[place], rtol=0.02)
        assert own.right.to_dict() == {between[0]: float(place > 0), between[1]: float(place > 1), 1.0: 0.0}
        sizes = np.minimum([*between, 1.0], own.arrives.iloc[0])
        np.testing.assert_allclose(own.reached, sizes, rtol=1e-4)


def test_of_images_what_is_made_is_kept(victim):
    grid = replace(GRID, budgets=[0.001, 0.002], budget_in="epsilon", unlimited=1.0)
    steps = {"steps": 2, "relative_step": 0.5, "random_starts": 0}
    rows = crossed(defences.trained(victim, victim), [batch_of(victim, 4)], run(bim.attack, ["unaware"], **steps), grid)
    kept = rows[rows.arrays.map(bool)]
    assert list(kept.key) == ["clip0", "clip1", "clip2"] and set(kept.budget) == {0.002}
    clean = batch_of(victim, 4).inputs["audio"].numpy()
    for number, arrays in enumerate(kept.arrays):
        assert np.abs(arrays["audio"] - clean[number]).max() == pytest.approx(0.002, abs=2**-16)


def test_noise_as_loud_is_a_row_and_asks_nothing(victim):
    rows = crossed(
        defences.treated(victim, way(none), draws=1),
        [batch_of(victim)],
        run(noise.attack, ["none"], "none", band_hz=None),
        replace(GRID, budgets=[20.0]),
    )
    assert set(rows.knowledge) == {"none"}
    assert not rows.backwards.any()
    np.testing.assert_allclose(rows.reached, 20, atol=0.1)


def test_steps_are_doubled_as_long_as_they_find_more(victim):
    """An attack that finds the first clip with twice its steps, the second with four times, and the third never."""
    batch, asked = batch_of(victim), []

    def searching(steps):
        def attack(aimed, inputs, goal, *, setting, snr_db):
            asked.append((steps, len(goal.labels)))
            found = pgd_l2.attack(aimed, inputs, goal, setting=setting, snr_db=snr_db, **PGD)
            needed = torch.tensor([2, 4, 100])[-len(goal.labels) :]
            kept = torch.where((needed <= steps)[:, None], found.adversarial["audio"], inputs["audio"])
            return replace(found, adversarial=inputs | {"audio": kept})

        return attack

    entry = Attack(attack="", knowledge=["unaware", "aware"], access="gradient")
    run = Run(name="pgd", entry=entry, times={times: searching(times) for times in (1, *DOUBLED)})
    rows = crossed(defences.treated(victim, way(none), draws=1), [batch], run, GRID)
    # Bare, through the treatment, three times more on those that are left, and what stands without a bound.
    assert asked == [(1, 3), (1, 3), (2, 3), (4, 2), (8, 1), (1, 1)]
    again = rows[rows.times > 1].set_index(["times", "key"]).right
    assert again.to_dict() == {
        **{(2, "clip0"): 0.0, (2, "clip1"): 1.0, (2, "clip2"): 1.0},
        **{(4, "clip1"): 0.0, (4, "clip2"): 1.0, (8, "clip2"): 1.0},
    }


class Quantised(nn.Module):
    """Rounds what it is given so coarsely that no gradient passes."""

    def __init__(self, network):
        super().__init__()
        self.network, self.takes = network, network.takes

    def prepare(self, inputs):
        return inputs

    def forward(self, inputs):
        return self.network(inputs | {"audio": (inputs["audio"] * 50).round() / 50})


def test_a_defence_that_hides_its_gradients_is_seen_by_them(victim):
    hidden = Victim(Quantised(victim.module), victim.labels, bounds=BOUNDS)
    batch = batch_of(victim)
    with torch.no_grad():
        labels = hidden.decide(batch.inputs)[0]
    batch = replace(batch, goal=Goal(labels, targeted=False))
    rows = crossed(defences.trained(victim, hidden), [batch], run(pgd_l2.attack, ["aware"], **PGD), GRID)
    assert rows[rows.budget == 0.0].zero_gradient.all()
