"""Tool: what a stage has to do, worked out of params.yaml and of how many clips there are.

For networks that is passes. What attacks ask for is known by what a run has counted; at another scale that changes as
the number of their steps does.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from stages.tools.operations import FRAMES_PER_S, SAMPLE_RATE_HZ, features
from stages.tools.passes import FOLDS, Clips, Passes, of_training


class Study(NamedTuple):
    """A study at a scale: its section of params.yaml, its sets of clips, and what attacks ask of its networks.

    `asked` has the forward and the backward passes of a clip by `(set, attack)`.
    """

    section: dict[str, Any]
    sets: dict[str, Clips]
    asked: dict[tuple[str, str], tuple[float, float]]


def parsed(stage: str) -> tuple[str, str]:
    """Verb and entry of a stage's name, such as `attack_text@sentences` or `pretrain_bert`."""
    verb, _, name = stage.partition("@")
    verb, _, own = verb.partition("_")
    return verb, name or own


def passes(study: Study, stage: str) -> list[Passes]:
    """What the networks of a stage have to do; nothing where it is no matter of networks."""
    verb, name = parsed(stage)
    makes = {"train": _trained, "pretrain": _pretrained, "featurise": _featurised, "attack": _attacked}
    makes["detect"] = _detected
    return list(makes[verb](study, name)) if verb in makes else []


def read(study: Study, stage: str) -> float:
    """What the time of a stage without a network grows with: seconds of the clips that it reads, as often as it does.

    Pages are made of tables, which are short at every scale.
    """
    verb, name = parsed(stage)
    if verb in ("prepare", "mix", "featurise"):
        clips = study.sets[name if name in study.sets else "audio"]
        return clips.all * clips.clip_s
    return _scored(study, name) if verb == "score" else 1.0


def left(study: Study, stage: str) -> float:
    """What the bytes grow with that a stage leaves."""
    verb, name = parsed(stage)
    section = study.section
    if verb in ("prepare", "mix"):
        return read(study, stage) * _rate(section, name)
    if verb == "featurise":
        clips = study.sets["audio"]
        return features(section, name) * clips.all * section["features"][name]["parameters"].get("frames", clips.clip_s)
    if verb == "attack":
        entry = section["attacked"][name]
        made = sum(rows(study, name, *one) for one in product(entry["attacks"], entry["victims"]))
        return made * _kept(study, entry) * _clips(study, entry).clip_s * _rate(section, entry.get("inputs", "audio"))
    return read(study, stage)


def _rate(section: dict[str, Any], name: str) -> float:
    """Values of a second of a clip."""
    size = section["corpora"].get(name, {}).get("decoding", {}).get("size")
    # Pixels of 8 bits, samples of 16, as the sets hold them.
    return FRAMES_PER_S * size**2 / 2 + SAMPLE_RATE_HZ if size else SAMPLE_RATE_HZ


def _kept(study: Study, entry: dict[str, Any]) -> float:
    """The share of attacked clips of which arrays are kept."""
    count = study.section["plans"][entry["plan"]].get("kept_clips_per_label")
    clips = _clips(study, entry)
    return 1.0 if count is None else min(1.0, count * clips.labels / clips.judged)


def _scored(study: Study, name: str) -> float:
    """Clips times treatments times hearers, in seconds."""
    section = study.section
    given = section["scored"].get(name) or section["scored"]["every"]
    if "every" in section["scored"]:
        made = {name: section["attacked"][name]}
    else:
        made = {one.rpartition("/")[2]: section["attacked"].get(one.rpartition("/")[2]) for one in given["sets"]}
    count = 0.0
    for own, entry in made.items():
        if entry is None:
            # A set of clips that nobody has attacked.
            count += (given["mixtures"] or study.sets[own].test) * study.sets[own].clip_s
            continue
        attacks = [one for one in entry["attacks"] if one.rpartition(".")[2] in given.get("attacks", [one])]
        attacked = sum(rows(study, own, *one) for one in product(attacks, entry["victims"]))
        count += attacked * _kept(study, entry) * _clips(study, entry).clip_s * max(1, given.get("plays", 1))
    return count * len(given.get("treatments", section["treatments"])) * len(given.get("heard_by", [name]))


def steps(attack: dict[str, Any], epsilons: list[Any]) -> float:
    """How many steps an entry of `attacks` takes for a clip, all its searches, starts and members together."""
    given = attack.get("parameters", {})
    if attack["attack"] == "basic_iterative":
        step, by = given["step"], given["counted_on"]
        each = [one[by] / step[by] for one in ([attack["epsilon"]] if "epsilon" in attack else epsilons)]
        return sum(min(one + 4, 1.25 * one) for one in each) / len(each)
    if attack["attack"] == "deepfool":
        # It stops where it arrives; each step takes a backward pass for each boundary.
        return 1 + 2 * given["kept_candidates"]
    if attack["attack"] == "evolutionary":
        return given["population"] * sum(given[one] for one in ("generations", "generations_in_rooms", "refinements"))
    each = given.get("iterations", given.get("steps", 1))
    return each * given.get("searches", 1) * max(1, given.get("random_starts", 1))


def rows(study: Study, name: str, attack: str, victim: str) -> float:
    """How many clips of the set `name` an attack works on for one of the set's victims, at all its strengths."""
    section = study.section
    entry = section["attacked"][name]
    plan, given, clips = section["plans"][entry["plan"]], entry_of(section["attacks"], attack), _clips(study, entry)
    if plan["plan"] == "correct":
        return clips.labels * plan["clips_per_label"]
    if plan["plan"] == "correct_pairs":
        return plan["labels"] * (plan["labels"] - 1) * plan["clips_per_pair"]
    if plan["plan"] == "phrases":
        return min(given.get("clips", plan["clips"]), plan["clips"])
    strengths = 1 if "epsilon" in given else len(plan["epsilons"])
    trained = section["victims"][victim.partition("/")[0]]
    if trained["method"] == "adversarial":
        regime = section["variants"][victim.partition("/")[2]]["regime"]
        models = len(section["recipes"][trained["recipe"]]["epsilons"])
        strengths = {"single": strengths, "noise": 0}.get(regime, models)
        return strengths * (clips.labels * given["clips"] if "clips" in given else clips.judged)
    own = plan["clips_per_label"]
    if trained["method"] == "cross_validation":
        return strengths * FOLDS * len(_heard(trained)) * clips.labels * own
    texts = "targets" in plan
    return strengths * len(plan.get("targets", [""])) * (1 if texts else clips.labels) * _parts(own)


def _parts(own: int | dict[str, int]) -> int:
    return sum(own.values()) if isinstance(own, dict) else 2 * own


def _heard(trained: dict[str, Any]) -> list[str]:
    return [name for name, one in trained["training"]["models"].items() if one.get("modalities") != "text"]


def _clips(study: Study, entry: dict[str, Any]) -> Clips:
    inputs = entry.get("inputs", "audio")
    return study.sets[inputs if inputs in study.sets else "audio"]


def entry_of(entries: dict[str, Any], dotted: str) -> dict[str, Any]:
    """The entry of a section of params.yaml at a dotted name."""
    for part in dotted.split("."):
        entries = entries[part]
    return entries


def _attacked(study: Study, name: str) -> Iterator[Passes]:
    section = study.section
    entry = section["attacked"][name]
    plan, clip_s = section["plans"][entry["plan"]], _clips(study, entry).clip_s
    before = [entry["front_end"]] if "front_end" in entry else []
    before += [section["treatments"][entry["through"]]["model"]] if "through" in entry else []
    for victim, attack in product(entry["victims"], entry["attacks"]):
        given = entry_of(section["attacks"], attack)
        made = rows(study, name, attack, victim)
        forwards, backwards = (made * one for one in study.asked[name, attack])
        batch_size = given["parameters"]["population"] if given["attack"] == "evolutionary" else plan["batch_size"]
        owner = victim.partition("/")[0]
        heads = [f"{owner}/{head}" for head in _heard(section["victims"][owner])] if "front_end" in entry else [owner]
        for network in before:
            yield Passes(network, clip_s, forwards, backwards, batch_size)
        for network in heads:
            yield Passes(network, clip_s, forwards / len(heads), backwards / len(heads), batch_size)


def _trained(study: Study, name: str) -> Iterator[Passes]:
    section = study.section
    name, _, variant = ("vgg16-noise" if name == "noise" else name).partition("-")
    given = section["victims"][name]
    recipe = section["recipes"][given["recipe"]] | given.get("training", {})
    recipe |= section["variants"][variant] if variant else {}
    return of_training(given["method"], recipe, _clips(study, given), name, given.get("against", ""))


def _pretrained(study: Study, name: str) -> Iterator[Passes]:
    method = study.section["pretrained"][name]["method"]
    recipe = study.section["pretraining"][method]
    # What is there already is converted.
    size = recipe.get("batch_size", 1)
    count = recipe.get("updates", 0) * size
    yield Passes(name, recipe.get("crop_s", study.sets["audio"].clip_s), count, count, size)


def _featurised(study: Study, name: str) -> Iterator[Passes]:
    given = study.section["features"][name]
    if "model" in given:
        clips = study.sets["audio"]
        yield Passes(given["model"], clips.clip_s, clips.all, 0, given["batch_size"])


def _detected(study: Study, name: str) -> Iterator[Passes]:
    """Each clip that is judged, and each that is attacked: as it is and, of test clips, with two others as loud."""
    section = study.section
    given = section["detected"][name]
    clips, made = study.sets[given["clips"]], given["set"].rpartition("/")[2]
    attacked = sum(rows(study, made, attack, given["victims"][0]) for attack in section["attacked"][made]["attacks"])
    parts = section["plans"][section["attacked"][made]["plan"]]["clips_per_label"]
    tested = parts["test"] / _parts(parts) if isinstance(parts, dict) else 0.5
    count = clips.judged + attacked * (1 + 2 * tested)
    models = [section["detectors"][one].get("model") for one in given["detectors"]]
    for network in [*given["victims"], *filter(None, models)]:
        yield Passes(network, clips.clip_s, count, 0, given["batch_size"])
