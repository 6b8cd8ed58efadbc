"""Room of studies: which stream carries an attack on words of the audio-visual study, the sound, the picture or both.

What is made by attacks on one stream alone lies in a set of its own, as attacks named `fgsm_sound`, `fgsm_picture`.
"""

from typing import Any

import pandas as pd

from stages.reporting.cells import ordered, share, with_clusters
from stages.reporting.verdicts import Claim
from stages.studies.audiovisual import compared as tests
from stages.studies.audiovisual.claims import ATTACKS, OURS

BOTH, ALONE = "both", ("sound", "picture")


def attacked_words(detections: pd.DataFrame, alone: pd.DataFrame) -> pd.DataFrame:
    """Test words under attacks on both streams and on one alone, at the same epsilons.

    Returns:
        A row an attacked clip: clip_id, cluster, attack, epsilon, streams (`both`, `sound`, `picture`), and whether the
        recogniser is `wrong`, as 0 and 1.
    """
    both = detections[(detections.corpus == "words") & (detections.version == "adversarial")]
    single = with_clusters(alone).assign(
        epsilon=[f"{float(one):g}" for one in alone.epsilon], truth=alone.label, decision=alone.adversarial_prediction
    )
    parts = []
    for attack in ATTACKS:
        own = [single[single.attack == f"{attack}_{stream}"] for stream in ALONE]
        at = "/".join(one.epsilon.iloc[0] for one in own if len(one))
        sides = {BOTH: both[(both.attack == attack) & (both.epsilon == at)], **dict(zip(ALONE, own))}
        parts += [side.assign(attack=attack, streams=streams) for streams, side in sides.items()]
    made = pd.concat(parts, ignore_index=True)
    made = made.assign(wrong=(made.decision != made.truth).astype(float))[made.split == "test"]
    return made[["clip_id", "cluster", "attack", "epsilon", "streams", "wrong"]]


def table(attacked: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of each attack on each of the streams."""
    made: list[dict[str, Any]] = []
    for (attack, streams), own in attacked.groupby(["attack", "streams"], sort=False):
        row = {"attack": attack, "epsilon": own.epsilon.iloc[0], "streams": streams}
        made.append(row | share(own.wrong == 0, own.cluster, "accuracy") | {"n": len(own)})
    return ordered(made, ("attack", "epsilon", "streams", "accuracy", "n"))


def claims(attacked: pd.DataFrame) -> list[Claim]:
    """Of each attack, whether it fools more words by the sound than by the picture."""
    return [_by_sound(attacked[attacked.attack == attack], name) for attack, name in ATTACKS.items()]


def _by_sound(attacked: pd.DataFrame, name: str) -> Claim:
    claim = f"{name} fools more words by the sound alone than by the picture alone"
    sound, picture = (attacked[attacked.streams == one] for one in ALONE)
    if sound.empty or picture.empty:
        return Claim(claim, OURS, "not measured")
    here = f"{100 * sound.wrong.mean():.1f} % against {100 * picture.wrong.mean():.1f} % wrong"
    more = tests.more(tests.pairs(sound, picture, on=["clip_id"]), "wrong")
    return Claim(claim, OURS, here, "words decided wrongly, the same ones at the same epsilons", more)
