"""Verb: puts phrases into what a recogniser hears: `python -m stages.inject ITEM`."""

import inspect
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError, told_in_one_line
from stages.frame.modules import find
from stages.frame.parameters import Count
from stages.frame.pcm import to_pcm16
from stages.measures.perturbation import relative_loudness_db, snr_db

# What the verb itself tells an attack, as far as the attack asks for it.
PASSED = ("bounds", "rooms", "spoken_phrases")
# What an entry of `attacks` says besides its attack's own parameters.
OWN = ("attack", "clips", "targets")


def main(item: str) -> None:
    """Writes `data/<study>/injected/<item>`: a row for every attack, clip and phrase, failures among them.

    Attacked is the recogniser, or, for `injected_through` instead, one with an enhancer in front of it, on test clips chosen by a hash of their ids and
    whatever it makes of them. `success` says whether the file, 16 bits, as it is and not played, is transcribed as the
    phrase; `found` what the attack itself says.
    """
    worker = devices.launch()
    where = f"injections.{item}"
    values = parameters.bind(_item, where, parameters.section(where))()
    study = values["study"]
    playback = parameters.section(f"playback.{study}")
    models = [Path("models", study, values["network"], values["recogniser"])]
    if values["enhancer"] is not None:
        models.append(Path("models", study, values["enhancer_network"], values["enhancer"]))
    clips = shards.ShardSet(Path("data", study, "audio"))
    entries = {
        name: parameters.bind(_attack, f"{where}.attacks.{name}", {key: given[key] for key in OWN if key in given})()
        for name, given in values["attacks"].items()
    }
    opened: dict[str, Any] = {}

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        if not opened:
            opened["victim"] = _victim(models, values, worker.device)
            heard = {
                "rooms": _rooms(playback["impulse_responses"], clips.about["signal"], worker.device),
                "spoken_phrases": playback["spoken_phrases"],
            }
            opened["attacks"] = {
                name: _bound(f"{where}.attacks.{name}", given, heard) for name, given in values["attacks"].items()
            }
        made = [
            _attacked(own, clips, opened["victim"], opened["attacks"][name], values)
            for name, own in rows.groupby("attack", sort=False)
        ]
        return pd.concat([table for table, _ in made]), [arrays for _, several in made for arrays in several]

    shards.write_set(
        _plan(clips.table, entries, values["targets"]),
        Path("data", study, "injected" if values["enhancer"] is None else "injected_through", item),
        compute,
        inputs=[clips.folder, *models, playback["impulse_responses"], playback["spoken_phrases"]],
        settings=[values, worker.device.split(":")[0]],
        worker=worker,
        description=f"inject {item}",
        clips_per_shard=values["batch_size"],
        about=clips.about,
    )


def _item(
    *,
    study: str,
    recogniser: str,
    network: str,
    enhancer: str | None,
    enhancer_network: str | None,
    targets: list[str],
    attacks: dict,
    batch_size: Count,
) -> dict:
    """The checked entry of `injections`."""
    return locals()


def _attack(*, attack: str, clips: Count | None, targets: Count | None) -> dict:
    """What an entry of `attacks` says of what it attacks: how many clips, and how many of the phrases (null: all)."""
    return locals()


def _victim(models: list[Path], values: dict, device: str) -> Any:
    from stages import victim

    recogniser = victim.load(models[0], network=values["network"], device=device)
    if not isinstance(recogniser, victim.Transcriber):
        raise UserError(models[0], expected="a recogniser of texts", found="one of labels", do="name another")
    if len(models) == 1:
        return recogniser
    from stages.networks.enhanced import Enhanced

    enhancer = victim.load(models[1], network=values["enhancer_network"], device=device).module
    return victim.Transcriber(Enhanced(enhancer, recogniser.module), recogniser.labels, bounds=recogniser.bounds)


def _rooms(folder: str, signal: dict, device: str) -> Any:
    from stages.features.playback import read_responses

    return read_responses(folder, sample_rate_hz=signal["sample_rate_hz"], held_out=False).to(device)


def _bound(where: str, given: dict, heard: dict[str, Any]) -> Any:
    """An attack with its parameters, and with what of the rooms and the phrases' recordings it asks for."""
    function = find("attacks", given["attack"], "attack", where=f"{where}.attack")
    own = {key: value for key, value in given.items() if key not in OWN}
    bound = parameters.bind(function, where, own, passed=PASSED)
    asked = inspect.signature(function).parameters
    return partial(bound, **{name: value for name, value in heard.items() if name in asked})


def _plan(clips: pd.DataFrame, entries: dict[str, dict], targets: list[str]) -> pd.DataFrame:
    """A row for each attack, test clip and phrase; an attack's clips of like length together."""
    columns = ["clip_id", "speaker", "split", "text", "duration_s"]
    test = clips.loc[(clips.problem == "") & (clips.split == "test") & (clips.text != ""), columns]
    test = test.iloc[test.clip_id.map(stable_hash).argsort()]
    plans = []
    for name, entry in entries.items():
        chosen = test.head(entry["clips"] or len(test)).sort_values(["duration_s", "clip_id"])
        phrases = pd.Series(targets[: entry["targets"]], name="target")
        plans.append(chosen.merge(phrases, how="cross").assign(attack=name))
    plan = pd.concat(plans, ignore_index=True)
    return plan.assign(key=plan.clip_id + "/" + plan.target.str.replace(" ", "-") + "/" + plan.attack)


def _attacked(rows: pd.DataFrame, clips: shards.ShardSet, victim: Any, attack: Any, values: dict):
    """The attacked clips' table and arrays."""
    import torch

    from stages.victim import Goal, padded_batch

    audio = [clips.load(clip)["audio"] for clip in rows.clip_id]
    inputs = padded_batch(audio, victim.device)
    goal = Goal(victim.encode(list(rows.target)), targeted=True)
    with torch.no_grad():
        clean_label, clean_confidence = victim.decode(victim.logits(inputs))
    result = attack(victim, inputs, goal, bounds=victim.bounds)
    adversarial = inputs | {"audio": (result.adversarial["audio"] * 2**15).round().clamp(-(2**15), 2**15 - 1) / 2**15}
    with torch.no_grad():
        label, confidence = victim.decode(victim.logits(adversarial))
    perturbed = [wave[: len(own)] for wave, own in zip(adversarial["audio"].cpu().numpy(), audio)]
    deltas = [wave - own for wave, own in zip(perturbed, audio)]
    table = rows.assign(
        recogniser=values["recogniser"],
        enhancer=values["enhancer"] or "",
        clean_prediction=victim.names(clean_label),
        clean_confidence=clean_confidence.tolist(),
        adversarial_prediction=victim.names(label),
        confidence=confidence.tolist(),
        success=goal.reached(label).tolist(),
        found=result.success.tolist(),
        iterations=result.iterations.tolist(),
        forwards=result.forwards.tolist(),
        backwards=result.backwards.tolist(),
        snr_db_audio=[snr_db(*pair) for pair in zip(audio, deltas)],
        relative_loudness_db_audio=[relative_loudness_db(*pair) for pair in zip(audio, deltas)],
        l2_audio=[float((delta.astype("f8") ** 2).sum() ** 0.5) for delta in deltas],
        linf_audio=[float(abs(delta).max()) for delta in deltas],
    )
    return table, [{"audio": to_pcm16(wave)} for wave in perturbed]


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
