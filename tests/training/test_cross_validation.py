"""Folds that are left out, draws of examples, and stacks of heads that train as each would alone."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from held import Held
from torch.nn.functional import cross_entropy

from stages import victim
from stages.frame import clip_table, parameters, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.frame.memory import Kept
from stages.learning import loop
from stages.learning.batches import in_random_order
from stages.measures.recall import uar
from stages.training import cross_validation, folds
from stages.training.task import Task

LABELS = ["angry", "happy", "sad"]
VALUES = {
    "seed": 1,
    "iterations": 60,
    "batch_size": 8,
    "learning_rate": 0.02,
    "draws": 2,
    "models": {"mean": {"head": "mean"}, "mlp": {"head": "mlp"}},
    "few": 12,
    "curve": [6],
    "curve_of": ["mlp"],
    "shuffled_texts_of": [],
}
HEADS = {"hidden_units": [8], "dropout": 0.0}
ALIGNED = {"head": "aligned", "cell": "gru", "units": 4, "attention_heads": 2, "frame_stride": 1, "dropout": 0.0}


def recipe(**changed):
    return parameters.bind(cross_validation.Recipe, "recipes.t", VALUES | changed)()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three folds of clips of 5 to 9 frames of 4 features, one of which tells the label, and texts that tell it too."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = [(f"c{n:03d}", LABELS[n % 3], f"s{n // 20}", f"Session{n // 20}") for n in range(60)]
    table = pd.DataFrame(rows, columns=["key", "label", "speaker", "fold"]).assign(problem="")
    table["clip_id"] = table.key

    def features(part):
        made = []
        for label in part.label:
            frames = rng.standard_normal((rng.integers(5, 10), 4)) * [1, 5, 1, 1] + [0, 100, 0, 0]
            frames[:, 0] += LABELS.index(label)
            made.append({"speech": frames.astype("f")})
        return part, made

    def texts(part):
        made = []
        for label in part.label:
            pieces = rng.standard_normal((rng.integers(2, 5), 3))
            pieces[:, 1] += 2 * LABELS.index(label)
            made.append({"text": pieces.astype("f")})
        return part, made

    for name, compute, signal in (("speech", features, {"features": 4}), ("words", texts, {"features": 3})):
        about = {"signal": signal, "bounds": {name: None}}
        what = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t", "about": about}
        shards.write_set(table, folder / name, compute, **what)
    return folder


def task(data, folder, values=HEADS, beside="speech") -> Task:
    (folder / "finished").mkdir(parents=True, exist_ok=True)
    signal = {"features": 4}
    config = {"network": "speech_heads", "parameters": values, "labels": LABELS, "decides": "label", "signal": signal}

    def build(**changes):
        return victim.build("speech_heads", 3, values | changes, where="t", signal=signal)

    clips, other = (shards.ShardSet(data / name) for name in ("speech", beside))
    config |= {"bounds": {"speech": None}}
    return Task(clips, other, LABELS, build, config, "cpu", folder, folder / "finished")


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    made = task(data, tmp_path_factory.mktemp("done"))
    cross_validation.train(made, recipe())
    return made


def test_it_tells_the_best_head_of_those_on_all_examples(data, tmp_path):
    made = task(data, tmp_path)
    outcome = cross_validation.train(made, recipe())
    table = decisions(made)
    whole = table[table["size"] == "all"]
    recalls = {name: uar(own.label, own.decision) for name, own in whole.groupby("model")}
    best = max(recalls, key=recalls.get)
    assert outcome.told == f"UAR of {best} {recalls[best]:.3f} on 60 test clips"
    assert outcome.no_better_than == ""


def decisions(made: Task) -> pd.DataFrame:
    return pd.read_csv(made.finished / "decisions.csv", dtype={"size": str})


def test_every_model_decides_on_every_clip_once_by_the_member_that_did_not_see_it(done):
    table = decisions(done)
    runs = {(model, size, draw) for model, size, draw in zip(table.model, table["size"], table.draw)}
    sizes = {"mean": ("12", "all"), "mlp": ("6", "12", "all")}
    assert runs == {(model, size, draw) for model, own in sizes.items() for size in own for draw in (0, 1)}
    for _, own in table.groupby(["model", "size", "draw"]):
        assert sorted(own.clip_id) == sorted(done.clips.table.clip_id)
    assert set(table.examples[table["size"] == "all"]) == {40}
    assert set(table.examples[table["size"] == "6"]) == {6}
    assert set(table.decision) <= set(LABELS)
    assert table.confidence.between(1 / 3, 1).all()


def test_heads_learn_what_tells_the_label(done):
    table = decisions(done)
    right = table[table["size"] == "all"].groupby("model").apply(lambda own: (own.decision == own.label).mean())
    assert (right > 0.75).all(), right


def test_draws_are_even_over_labels_nested_and_never_of_the_fold_that_is_left_out(data):
    table = shards.ShardSet(data / "speech").table
    small, large = (folds.drawn(table, "Session1", size, [1, 0, 0]) for size in ("6", "12"))
    assert set(small) < set(large)
    assert table.label[small].value_counts().tolist() == [2, 2, 2]
    assert table.label[large].value_counts().tolist() == [4, 4, 4]
    assert "Session1" not in set(table.fold[large])
    assert set(folds.drawn(table, "Session1", "6", [1, 0, 1])) != set(small)
    assert len(folds.drawn(table, "Session1", "all", [1, 0, 0])) == 40


def test_a_label_that_runs_out_leaves_its_places_to_the_others():
    table = pd.DataFrame({"label": ["a"] * 2 + ["b"] * 10, "fold": ["x"] * 12}).assign(fold=["x"] * 11 + ["y"])
    rows = folds.drawn(table, "y", "8", [1, 0, 0])
    assert table.label[rows].value_counts().to_dict() == {"b": 6, "a": 2}


def test_a_model_of_a_stack_is_the_one_that_trains_alone(data, done):
    """The same batches through one module and one optimiser give the weights that the stack saved."""
    members = folds.members(done.clips.table, ["6", "12", "all"], 2, 1)
    member = next(one for one in members if (one.fold, one.size, one.draw) == ("Session1", "all", 0))
    loaded = cross_validation._load(done, recipe())
    module = cross_validation._untrained(done, recipe(), loaded, "mlp", member)
    optimiser = torch.optim.Adam(module.parameters(), VALUES["learning_rate"])
    for rows in member.rows[in_random_order(40, 8, range(60), member.seed)]:
        rows = torch.from_numpy(rows)
        inputs = loaded.inputs(rows, takes_text=False, shuffled=False)
        optimiser.zero_grad()
        cross_entropy(module(*inputs), loaded.targets[rows]).backward()
        optimiser.step()
    saved = victim.load(done.finished / "mlp-Session1", device="cpu").module.state_dict()
    for name, value in module.state_dict().items():
        assert torch.allclose(value, saved[name], atol=1e-4), name
    mean = loaded.moments[0].total[torch.from_numpy(member.rows)].sum(0) / loaded.frames.lengths[member.rows].sum()
    assert torch.allclose(saved["mean"].double(), mean, atol=1e-5)


def test_with_no_room_for_frames_they_are_read_anew_with_the_same_bytes(data, done, tmp_path, monkeypatch):
    made = task(data, tmp_path)
    monkeypatch.setattr(made.clips, "load", held := Held(made.clips.load))
    monkeypatch.setattr(cross_validation, "Kept", partial(Kept, most_bytes=0))
    cross_validation.train(made, recipe())
    assert held.most <= 2
    for file in sorted(done.finished.rglob("*.*")):
        assert file.read_bytes() == (made.finished / file.relative_to(done.finished)).read_bytes(), file


def test_the_models_on_all_examples_are_listed_for_attacks(done):
    members = clip_table.read(done.finished / "members.csv")
    assert set(members.member) == {f"{model}-Session{n}" for model in ("mean", "mlp") for n in range(3)}
    assert set(zip(members.judged_by, members.judged_on)) == {("fold", f"Session{n}") for n in range(3)}
    assert list(members.variant) == [name.split("-")[0] for name in members.member]
    # At every strength, and all that is made may be kept.
    assert set(members.attacked_at) == {""} and set(members.kept) == {True}
    assert list(members) == ["member", "variant", "judged_by", "judged_on", "attacked_at", "kept"]


def test_an_interrupted_run_gives_the_same_bytes(data, tmp_path, monkeypatch):
    values, whole = HEADS | {"dropout": 0.3}, {}
    for name, rounds in (("whole", None), ("broken", 1)):
        made = task(data, tmp_path / name, values)
        if rounds:
            keep = loop._keep

            def stop(module, optimiser, history, scratch, keep=keep):
                keep(module, optimiser, history, scratch)
                raise KeyboardInterrupt

            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(loop, "_keep", stop)
                cross_validation.train(made, recipe())
        cross_validation.train(made, recipe())
        whole[name] = {path.name: path.read_bytes() for path in made.finished.rglob("*") if path.is_file()}
    assert whole["whole"] == whole["broken"]


def test_shuffled_texts_tell_nothing(data, tmp_path):
    models = {"text": {"modalities": "text"}, "speech": {"modalities": "speech"}}
    made = task(data, tmp_path, ALIGNED, beside="words")
    cross_validation.train(
        made, recipe(models=models, few=None, curve=[], curve_of=[], draws=1, shuffled_texts_of=["text"])
    )
    table = decisions(made)
    right = table.groupby("model").apply(lambda own: (own.decision == own.label).mean())
    assert right["text"] > 0.8
    assert right["text-shuffled"] < 0.6
    assert set(clip_table.read(made.finished / "members.csv").variant) == {"speech"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"few": 41},
            r"few or curve of a recipe: expected at most the 40 examples outside Session0; found 41; lower it",
        ),
        ({"curve_of": ["mlq"]}, r"the model 'mlq' in curve_of or shuffled_texts_of: expected one of mean, mlp"),
    ],
)
def test_a_wrong_recipe_is_one_line(data, tmp_path, changed, message):
    with pytest.raises(UserError, match=message):
        cross_validation.train(task(data, tmp_path), recipe(**changed))


def test_clips_without_a_fold_are_one_line(data, tmp_path):
    made = task(data, tmp_path)
    made.clips.table["fold"] = ""
    with pytest.raises(UserError, match="expected a fold for each clip, and at least two folds"):
        cross_validation.train(made, recipe())


def test_of_one_label_nothing_is_learned(data, tmp_path):
    with pytest.raises(UserError, match="expected at least two labels; found 1: sad"):
        cross_validation.train(replace(task(data, tmp_path), labels=["sad"]), recipe())


def test_training_that_ends_in_nan_is_an_error_that_names_the_head(data, tmp_path):
    with pytest.raises(UserError, match=r"/(mean|mlp), round 1: expected finite numbers as .*; train it otherwise"):
        cross_validation.train(task(data, tmp_path), replace(recipe(), learning_rate=1e30))


def test_folds_of_any_name_have_folders(data, tmp_path):
    made = task(data, tmp_path)
    made.clips.table["fold"] = "a/b/" + made.clips.table.fold
    cross_validation.train(made, recipe(iterations=1, models={"mean": {"head": "mean"}}, curve_of=[]))
    members = pd.read_csv(tmp_path / "finished" / "members.csv")
    assert members.judged_on.tolist() == [f"a/b/Session{number}" for number in range(3)]
    for member in members.member:
        assert victim.load(tmp_path / "finished" / member, device="cpu").labels == LABELS
