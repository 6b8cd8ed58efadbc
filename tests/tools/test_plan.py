"""Plans of whole runs, worked out by hand: passes, costs, hours; and how what a run took is written down."""

import clones
import pandas as pd
import pytest
import torch
from torch import nn

from stages.frame.errors import UserError
from stages.tools import measured, passes, plan, work
from stages.tools.operations import Cost, cost_of
from stages.tools.passes import Clips, Passes

CLIPS = Clips(train=100, validation=20, test=30, clip_s=2.0, labels=5)


def _trained(method, clips=CLIPS, **recipe):
    made = list(passes.of_training(method, {"batch_size": 4} | recipe, clips, "net", "ear"))
    return {(one.network, one.clip_s): one[2:] for one in made}


def test_passes_of_training():
    # 3 epochs, each of 100 draws; decisions on 20 clips after each, and on all 150 at the end.
    made = _trained("classification", epochs=3)
    assert made == {("net", 2.048): (300, 300, 4), ("net", 2.0): (210, 0, 4)}
    # Twice 4 batches for both epsilons, then for each 6 with two forward and three backward passes.
    regime = {"regime": "vanilla", "iterations": 10, "adversarial_from": 4, "epsilons": [0.1, 0.2]}
    assert _trained("adversarial", **regime) == {("net", 2.0): (2 * 4 * (4 + 24), 2 * 4 * (4 + 36), 4)}
    assert _trained("adversarial", **regime | {"regime": "single"}) == {("net", 2.0): (80, 80, 4)}
    assert _trained("adversarial", **regime | {"regime": "noise"}) == {("net", 2.0): (224, 224, 4)}
    # 5 folds and 2 draws of 10, 20, and all examples.
    folds = {"iterations": 7, "draws": 2, "few": 10, "curve": [20], "curve_of": ["mlp"], "shuffled_texts_of": []}
    assert _trained("cross_validation", models={"mlp": {}}, **folds) == {("net/mlp", 2.0): (840, 840, 120)}
    assert _trained("lip_reading", epochs=3) == {("net", 2.0): (300 + 60 + 250, 300, 4)}
    assert _trained("speech_recognition", epochs=3, adversarial={}) == {("net", 2.0): (600 + 60 + 50, 900, 4)}
    rounds = {"iterations": 10, "iterations_per_round": 5, "crop_s": 0.5}
    made = _trained("enhancement", adversarial={}, **rounds)
    assert made == {("net", 0.5): (80, 80, 4), ("ear", 2.0): (40, 40, 4), ("net", 2.0): (90, 0, 4)}


@pytest.mark.parametrize(
    ("method", "recipe", "doubled"),
    [
        ("synchronisation", {"epochs": 3}, "clips"),
        ("synchronisation", {"epochs": 3}, "epochs"),
        ("enhancement", {"iterations": 10, "iterations_per_round": 5, "crop_s": 1, "adversarial": None}, "iterations"),
    ],
)
def test_twice_as_much_is_twice_the_work(method, recipe, doubled):
    def learned(clips, recipe):
        return sum(backwards for _, backwards, _ in _trained(method, clips, **recipe).values())

    clips = CLIPS._replace(train=200) if doubled == "clips" else CLIPS
    more = {name: (2 if name == doubled else 1) * value for name, value in recipe.items() if value is not None}
    assert learned(clips, recipe | more) == 2 * learned(CLIPS, recipe) > 0


def test_steps_of_attacks():
    def steps(attack, epsilons=(), **parameters):
        return work.steps({"attack": attack, "parameters": parameters}, list(epsilons))

    assert steps("cw", iterations=1000, searches=9) == 9000
    assert steps("bim", steps=20, random_starts=3) == 60
    assert steps("bim", steps=20, random_starts=0) == 20
    assert steps("deepfool", iterations=50, kept_candidates=10) == 21
    evolution = {"population": 10, "generations": 30, "generations_in_rooms": 5, "refinements": 1}
    assert steps("evolutionary", **evolution) == 360
    epsilons = [{"video": 4}, {"video": 16}]
    assert steps("basic_iterative", epsilons, step={"video": 1}, counted_on="video") == (5 + 20) / 2


def test_attacks_are_counted_as_the_run_counted_them(monkeypatch):
    """So many clips as a set has of an attack, and as many passes."""
    monkeypatch.chdir(clones.ROOT)
    studies = plan.at("embedded")
    for row in plan.read("passes").itertuples():
        study = studies[row.study]
        entry = study.section["attacked"][row.set]
        (attack,) = (one for one in entry["attacks"] if one.rpartition(".")[2] == row.attack)
        clips = sum(work.rows(study, row.set, attack, victim) for victim in entry["victims"])
        assert clips == row.clips, f"{row}; if params.yaml has changed: python -m stages.tools.measured"
        assert study.asked[row.set, attack][0] * clips == pytest.approx(row.forwards)


def test_what_attacks_ask_grows_with_their_steps(monkeypatch):
    monkeypatch.chdir(clones.ROOT)
    reference = {"attacked": {"words": {"attacks": ["partial"], "plan": "p"}}, "plans": {"p": {}}}
    reference["attacks"] = {"partial": {"attack": "bim", "parameters": {"steps": 25}}}
    section = reference | {"attacks": {"partial": {"attack": "bim", "parameters": {"steps": 50}}}}
    counted = pd.DataFrame([["audiovisual", "words", "partial", 2, 52, 50]], columns=list(plan.read("passes")))
    monkeypatch.setattr(plan, "read", lambda name: counted)
    assert plan.asked("audiovisual", section, reference) == {("words", "partial"): (52.0, 50.0)}
    # A set that carries its own attack is none of those that were counted.
    section["attacked"] = section["attacked"] | {"mine": {"attack": {"attack": "mine"}, "plan": "p"}}
    assert plan.asked("audiovisual", section, reference).keys() == {("words", "partial")}


def test_what_stages_read_and_leave(monkeypatch):
    monkeypatch.chdir(clones.ROOT)
    here, there = plan.at("embedded")["audiovisual"], plan.at("paper")["audiovisual"]
    clips = here.sets["words"]
    assert work.read(here, "prepare@words") == clips.all * clips.clip_s
    assert work.read(here, "report") == work.left(here, "report") == 1
    # As many clips, whose mouths have sides of 96 pixels in the place of 48.
    same = there._replace(sets=here.sets)
    grown = (25 * 96**2 / 2 + 16000) / (25 * 48**2 / 2 + 16000)
    assert work.left(same, "prepare@words") == pytest.approx(grown * work.left(here, "prepare@words"))
    events = plan.at("embedded")["events"]
    assert work.read(events, "score@vgg13-clean") == pytest.approx(24 * 0.98 * 11)


def test_cost_of_a_pass():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU()).to("meta")
    # A product of 3 by 4, of multiplications and additions; 4 values twice, and 16 parameters.
    assert cost_of(network, torch.zeros(1, 3, device="meta")) == Cost(2, 24, 8, 16)
    both = Cost(1, 2, 3, 4) + Cost(10, 20, 30, 40)
    assert both == Cost(11, 22, 33, 44)


def test_a_recurrent_layer_is_one_kernel():
    """It writes four gates, cell and state (three gates, what the reset is applied to, and state) of 5 steps of 2."""
    for layer, gates, values in ((nn.LSTM, 4, 6), (nn.GRU, 3, 5)):
        network = layer(3, 2).to("meta")
        told = cost_of(network, torch.zeros(5, 1, 3, device="meta"))
        assert told.values - values * 5 * 2 <= 2 * 2 and told.kernels <= 3  # and a first state of zeros
        assert told.operations == 5 * 2 * gates * 2 * (3 + 2)


def test_cost_of_what_asks_for_lengths_and_masks():
    def network(audio, lengths):
        own = torch.arange(int(lengths.to(audio.device).max()), device=audio.device) < 2
        return audio[:, : len(own)].square()[own[None]] if not own.all() else audio

    # The length, a number for it, a comparison, all of them, what is left of 5 squares, twice.
    assert cost_of(network, torch.zeros(1, 9, device="meta"), torch.tensor([5])).values >= 5 + 5 + 5


def test_seconds_and_memory():
    machine = plan.Machine(kernel_s=1.0, operation_s=0.1, value_s=0.01, backward=2)
    one = Passes("net", 1.0, forwards=10, backwards=5, batch_size=4)
    # As 20 forward passes: 8 kernels for 4 clips; 30 operations and 200 values each.
    assert plan.seconds(machine, one, Cost(8, 30, 200, 7)) == pytest.approx(20 * (2 + 3 + 2))
    assert plan.memory(one, Cost(8, 30, 200, 7), copies=4) == 4 * (28 + 800)
    assert plan.memory(one._replace(backwards=0), Cost(8, 30, 200, 7), copies=1) == 28


def test_stages_of_studies_that_have_a_plan_are_foretold(monkeypatch):
    """The audit's are measured for the order of dealing alone. At the same scale all takes as long."""
    monkeypatch.chdir(clones.ROOT)
    studies = {"events": plan.at("embedded")["events"]}
    rows = [["audit", "report", 8, 1.7], ["events", "prepare@audio", 36, 84.0], ["events", "train@vgg13", 18, 0.6]]
    monkeypatch.setattr(
        plan, "read", lambda name: pd.DataFrame(rows, columns=["study", "stage", "seconds", "megabytes"])
    )
    made = plan.foretold(studies, studies)
    assert made.stage.tolist() == ["prepare@audio", "train@vgg13"]
    assert made.cpu_h.tolist() == [0.01, 0.0] and made.disk_gb.tolist() == pytest.approx([0.084, 0.0006])


def test_a_study_is_foretold_by_the_others():
    table = pd.DataFrame(
        [["a", 1.0, 10.0, 10.0], ["a", 1.0, 10.0, 30.0], ["b", 1.0, 4.0, 20.0], ["b", None, None, 5.0]],
        columns=["study", "passes", "written", "seconds"],
    )
    # Values take 1 and 3 seconds in a, 5 in b.
    made = plan.checked(table)
    assert made.loc["a"].tolist() == [100.0, 40.0, 2.5]
    assert made.loc["b"].tolist() == [8.0, 20.0, 0.4]


def test_an_unknown_scale_is_told_in_one_line(monkeypatch):
    monkeypatch.chdir(clones.ROOT)
    with pytest.raises(
        UserError, match=r"SCALE: expected one of embedded, paper; found 'smoke'; make plan SCALE=\.\.\."
    ):
        plan.main("smoke")


def test_a_log_is_written_down(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scales").mkdir()
    before = "x,train@a,1,1.0\nx,train@b,2,1.0\nx,train@gone,2,1.0\n"
    (tmp_path / "scales/measured.csv").write_text(f"study,stage,seconds,megabytes\n{before}")
    columns = "scale,study,set,train,validation,test,clip_s,labels,source\n"
    (tmp_path / "scales/corpora.csv").write_text(
        f"{columns}embedded,x,audio,1,1,1,1.0,2,counted\npaper,x,audio,9,9,9,9.0,9,x\n"
    )
    (tmp_path / "stages/studies/x").mkdir(parents=True)
    stages = ("train@a: {outs: [{size: 1500000}, {size: 20000}]}", "train@b: &b {outs: [{size: 3000000}]}", "embed: *b")
    lock = f"stages: {{{', '.join(stages)}, report: *b}}"
    (tmp_path / "stages/studies/x/dvc.lock").write_text(lock)
    made, heard = tmp_path / "data/x/adversarial/s", tmp_path / "data/x/audio"
    for folder in (made, heard):
        folder.mkdir(parents=True)
    (made / "clips.csv").write_text("key,attack,forwards,backwards\n1,none,0,0\n2,bim,3,2\n3,bim,4,3\n")
    rows = "1,train,,2.0\n2,train,,3.0\n3,test,,4.0\n4,validation,,4.0\n5,test,broken,0.0\n"
    (heard / "clips.csv").write_text(f"key,split,problem,duration_s\n{rows}")
    (tmp_path / "log").write_text(
        "".join(f"stages/studies/x/dvc.yaml:{stage}: done in 34 s\n" for stage in ("train@a", "embed", "report"))
    )
    measured.main("log")
    written = (tmp_path / "scales/measured.csv").read_text().splitlines()[1:]
    assert written == ["x,report,34,3.0", "x,train@a,34,1.52", "x,train@b,2,3.0"]
    assert (tmp_path / "scales/passes.csv").read_text().splitlines()[1:] == ["x,s,bim,2,7,5"]
    assert (tmp_path / "scales/corpora.csv").read_text().splitlines()[1:] == [
        "embedded,x,audio,2,1,1,3.25,2,counted",
        "paper,x,audio,9,9,9,9.0,9,x",
    ]
    (tmp_path / "log").write_text("nothing")
    with pytest.raises(UserError, match="log: expected lines of stages that are done"):
        measured.main("log")
