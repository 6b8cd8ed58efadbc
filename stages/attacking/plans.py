"""Room of attacking: plans, which clips are attacked, how strongly, and what each is to become.

`plan(work, *, **its own parameters) -> table`: a row for each clip, model, target, attack and epsilon, those that can
be one batch (of one `folder`, `attack` and `epsilon`) next to each other and of like length. Columns: `key`, those of
the clips, `victim`, `folder` of the model, what `members.csv` says of it where there are several, `attack`, `strength`
(the epsilon as params.yaml has it, None for none), `epsilon` (the same as a number or text), `target` (empty for an
untargeted attack), and `kept`, whether what is made is to be stored.
"""

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pandas as pd

from stages.attacking.entries import Attack
from stages.frame import clip_table
from stages.frame.clip_table import by_turns, stable_hash
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive

Strength = float | dict[str, float] | None
# What to do about a victim that decides too little rightly.
TRAIN = "train it longer; if it was trained elsewhere, see whether its labels are in the order of its outputs"
# The order of columns; what `members.csv` says stands between.
FIRST = ("key", "clip_id", "label", "text", "speaker", "split", "fold", "duration_s", "victim")
LAST = ("folder", "kept", "strength", "attack", "epsilon", "target")


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a plan chooses from.

    Attributes:
        clips: the readable ones, the columns of the clip table.
        victims: the model's or the family's folder, by name.
        attacks: the entries, by name.
        integers: whether the clips' files hold whole numbers, so that a clip unattacked needs no other copy.
    """

    clips: pd.DataFrame
    victims: dict[str, Path]
    attacks: dict[str, Attack]
    integers: bool


def correct(work: Work, *, clips_per_label: Count) -> pd.DataFrame:
    """`clips_per_label` test clips of every label that a victim decides correctly, fewer where there are not so many.

    Which is a matter of a hash of the clips' ids alone.
    """
    firsts = [
        pd.concat([own.head(clips_per_label) for _, own in _correct(work, victim).groupby("label")])
        for victim in work.victims
    ]
    return _by_every_attack(work, pd.concat(firsts).assign(target=""))


def correct_pairs(work: Work, *, labels: Count, clips_per_pair: Count) -> pd.DataFrame:
    """`clips_per_pair` correctly decided test clips of each of `labels` labels against each of the others.

    The labels are those with most such clips (ties by a hash of the name); a label's clips are dealt to its targets in
    turn, so that they differ as far as there are enough.
    """
    return _by_every_attack(
        work, pd.concat([_pairs(_correct(work, victim), labels, clips_per_pair) for victim in work.victims])
    )


def judged(
    work: Work,
    *,
    epsilons: list[Positive] | list[dict[str, Positive]],
    clips_per_label: Count | dict[str, Count] | None,
    kept_clips_per_label: NonNegativeInt | None,
    targets: list[str] | None = None,
) -> pd.DataFrame:
    """Every model of the victims, on clips that it is judged on, also those that it decides wrongly, at every epsilon.

    Attacked are so many clips of each label (null: all; or so many of each part, such as `validation`), of as many
    speakers as there are and else by a hash of their ids, kept so many of the test clips (null: all that are attacked),
    by that hash alone. Each is also there unattacked, as the attack `none` of epsilon 0. Of `members.csv`, which
    lists the models: one is judged on clips whose column `judged_by` says `judged_on`; it is attacked at the epsilon
    `attacked_at` alone, at all where that is empty, and not at all for `never`; `kept` says whether anything of it is.
    No clip is made into what it is. An attack with `clips` takes only so many test clips of each label, and nothing of
    it is kept.
    """
    members = pd.concat([_members(victim, folder) for victim, folder in work.victims.items()], ignore_index=True)
    order = work.clips.clip_id.map(stable_hash)
    test_rank = _rank(order, work.clips, "split")
    kept = kept_clips_per_label is None or (work.clips.split == "test") & (test_rank <= kept_clips_per_label)
    clips = work.clips.assign(kept_clip=kept, test_rank=test_rank.where(work.clips.split == "test"))
    parts = []
    for judged_by, own in members.groupby("judged_by", sort=False):
        chosen = clips if clips_per_label is None else clips[_first(clips, judged_by, clips_per_label)]
        parts.append(own.merge(chosen.assign(judged_on=chosen[judged_by]), on="judged_on"))
    plan = pd.concat(parts, ignore_index=True).merge(pd.Series(targets or [""], name="target"), how="cross")
    plan = plan[plan.target != plan.text] if targets else plan
    plan = plan.assign(kept=plan.kept & plan.kept_clip)
    runs = [_run(plan, "none", None).assign(epsilon=0.0, kept=plan.kept & (not work.integers))]
    for name, one in work.attacks.items():
        chosen = plan if one.clips is None else plan[plan.test_rank <= one.clips].assign(kept=False)
        strengths = epsilons if one.epsilon is None else [one.epsilon]
        runs += [_run(chosen[chosen.attacked_at == ""], name, strength) for strength in strengths]
        own = sorted(set(chosen.attacked_at) - {"", "never"})
        runs += [_run(chosen[chosen.attacked_at == epsilon], name, float(epsilon)) for epsilon in own]
    return _planned([run.drop(columns=["attacked_at", "kept_clip", "test_rank"]) for run in runs])


def phrases(work: Work, *, targets: list[str], clips: Count | None = None) -> pd.DataFrame:
    """Test clips with a text, each with one phrase of `targets`: the phrases are dealt to the clips in turn.

    The first `clips` in the order of `clip_table.by_turns`, so of as many speakers as there are; an attack takes the
    first so many of its entry. Clips are attacked whatever the victim makes of them.
    """
    test = by_turns(work.clips[(work.clips.split == "test") & (work.clips.text != "")], "clip_id").head(clips)
    test = test.assign(target=[targets[place % len(targets)] for place in range(len(test))])
    runs = []
    for victim, folder in work.victims.items():
        for name, one in work.attacks.items():
            chosen = test.head(one.clips).assign(victim=victim, folder=str(folder), kept=True)
            runs.append(_run(chosen, name, one.epsilon))
    return _planned(runs)


def told(strength: Strength) -> float | str:
    """An epsilon as tables have it: a number, or of several inputs `256/4`; empty for none."""
    if isinstance(strength, dict):
        return "/".join(f"{one:g}" for one in strength.values())
    return "" if strength is None else strength


def _correct(work: Work, victim: str) -> pd.DataFrame:
    """The test clips that a victim decides correctly, in the order of a hash of their ids."""
    folder = work.victims[victim]
    decisions = clip_table.read(folder / "decisions.csv")
    right = decisions.key[(decisions.split == "test") & (decisions.decision == decisions.label)]
    if right.empty:
        raise UserError(folder / "decisions.csv", "a test clip decided correctly", "none", TRAIN)
    own = work.clips[work.clips.clip_id.isin(right)].assign(victim=victim, folder=str(folder), kept=True)
    return own.iloc[own.clip_id.map(stable_hash).argsort(kind="stable")]


def _pairs(correct: pd.DataFrame, labels: int, clips_per_pair: int) -> pd.DataFrame:
    counts = correct.label.value_counts()
    chosen = sorted(counts.index, key=lambda label: (-counts[label], stable_hash(label)))[:labels]
    if len(chosen) < 2:
        raise UserError(
            "the victim's decisions",
            "test clips of at least two labels decided correctly",
            ", ".join(chosen),
            f"{TRAIN}, or select more labels",
        )
    rows = []
    turns = dict.fromkeys(chosen, 0)
    for source, target in permutations(sorted(chosen), 2):
        own = correct[correct.label == source]
        for _ in range(min(clips_per_pair, len(own))):
            rows.append(own.iloc[turns[source] % len(own)].to_dict() | {"target": target})
            turns[source] += 1
    return pd.DataFrame(rows).drop_duplicates(["clip_id", "target"])


def _members(victim: str, folder: Path) -> pd.DataFrame:
    """The models of one victim, as its training listed them."""
    table = clip_table.read(folder / "members.csv")
    return table.assign(victim=victim, folder=[str(folder / member) for member in table.member])


def _rank(order: pd.Series, clips: pd.DataFrame, part: str) -> pd.Series:
    """The place of each clip among those of its label in its part of the corpus."""
    return order.groupby([clips[part], clips.label]).rank(method="first")


def _first(clips: pd.DataFrame, part: str, count: int | dict[str, int]) -> pd.Series:
    """Which clips are the first so many of their label and part: one of each speaker before any second one."""
    order = clips.clip_id.map(stable_hash).rank(method="first")
    turn = order.groupby([clips[part], clips.label, clips.speaker]).rank(method="first")
    return _rank(turn * len(clips) + order, clips, part) <= (
        clips[part].map(count) if isinstance(count, dict) else count
    )


def _by_every_attack(work: Work, chosen: pd.DataFrame) -> pd.DataFrame:
    return _planned([_run(chosen, name, one.epsilon) for name, one in work.attacks.items()])


def _run(chosen: pd.DataFrame, attack: str, strength: Strength) -> pd.DataFrame:
    """The rows of one attack at one epsilon."""
    return chosen.assign(attack=attack, strength=[strength] * len(chosen), epsilon=told(strength))


def _planned(runs: list[pd.DataFrame]) -> pd.DataFrame:
    """All rows with their keys, batches next to each other.

    Raises:
        UserError: there is none.
    """
    # Clips of like length lie together, so that little of a batch is padding.
    runs = [run.sort_values(["duration_s", "clip_id", "target"], kind="stable") for run in runs]
    plan = pd.concat(runs, ignore_index=True).sort_values("folder", kind="stable", ignore_index=True)
    if plan.empty:
        raise UserError("the clips that a plan attacks", "at least one", "none", "change the plan in params.yaml")
    parts = ["clip_id", "victim", *(["member"] if "member" in plan else []), "target", "attack"]
    named = plan[parts].assign(epsilon=plan.epsilon.map(lambda one: one if isinstance(one, str) else f"{one:g}"))
    keys = ["/".join(filter(None, row)).replace(" ", "-") for row in named.itertuples(index=False)]
    of_models = [name for name in plan if name not in (*FIRST, *LAST)]
    return plan.assign(key=keys)[[*FIRST, *of_models, *LAST]]
