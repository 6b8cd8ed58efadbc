"""Room of studies: the tables of Yang et al., "Characterizing speech adversarial examples using self-attention U-Net
enhancement".

Intervals are at 95 % and take into account that clips share speakers.
"""

import functools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.reporting.cells import PER_CENT, Cells, cell, error_rate, finite, possible, table
from stages.reporting.study import of_named_attacks, with_stages
from stages.reporting.yours import yours as of_yours
from stages.studies.speech import attacks, quality
from stages.studies.speech.claims import claims
from stages.studies.speech.heard import ATTACKED, prepared, wer_target, with_numbers
from stages.studies.speech.measured import NONE, Measured

PAPER = Path(__file__).with_name("paper.csv")
READERS = ("noisy_speech",)
# The entries of params.yaml that are the paper's. Its tables and claims are of these alone.
ENHANCERS = ("dnn", "wave_u_net", "u_net_attention")
HARDENED = tuple(f"{name}_hardened" for name in ENHANCERS)
PAPERS = {
    "victims": ("deepspeech", "deepspeech_hardened", *ENHANCERS, *HARDENED),
    "attacked": {
        "gradient": ("direct", "carlini_wagner", "over_the_air", "in_band", "noise", "none", "smallest", "spoken"),
        "evolutionary": ("evolutionary", "edit_distance", "evolutionary_smallest"),
        "gradient_hardened": ("over_the_air", "noise", "none"),
        "evolutionary_hardened": ("evolutionary",),
        "adaptive": ("smallest", "spoken", "evolutionary_through"),
    },
    "treatments": (NONE, *ENHANCERS, *HARDENED),
}
DATA, MODELS = Path("data/speech"), Path("models/speech")

TITLE = "Speech recognition: phrases put into what is heard, and enhancement as the defence"
NOTE = (
    "Word error rates (WER) are those of the best path, against what was said, unless they are called otherwise. RoSA "
    "is the rate of successful attacks: the share of all trials, of every attacked clip and phrase, that the "
    "recogniser transcribes exactly as the phrase; failures are among them. The trials are played in rooms that no "
    "attack has seen; RoSA file is that of the files, not played. Where the paper has per cent, here are shares. It "
    "does not say whether its attacks on the hardened recogniser were made anew: in Table 4 each recogniser is "
    "attacked with its own gradients, and what the hardened one hears of attacks on the undefended one stands beside "
    "it. Nor does it say whether the enhancers of its Table 4 were hardened: both kinds are here, and its values stand "
    "beside the plain ones. PESQ raw is the paper's formula, narrow band before the mapping to opinion scores; wb and "
    "nb are those scores of wide and narrow band. The built-in scale's attack over the air has all frequencies; in "
    "band is the same held to the paper's 1 to 4 kHz. Means are of the clips that have a finite value: undefined "
    "counts those that lack one or more."
)
TABLES = {
    "table_corpora": "The corpus. Clips of speech, and mixtures with noise at each level",
    "table_recognisers": (
        "The recognisers. WER on clean test clips, by the best path, by beam search and by beam search with a model of "
        "the training texts' words; and on mixtures and the clean clips in them, untreated and enhanced"
    ),
    "table_1": "Table 1. Quality of noisy speech, untreated and enhanced. Mixtures of the test split",
    "table_levels": "Levels. SNR of test mixtures before and after enhancement, by the level that they were mixed at",
    "table_2": (
        "Table 2. Quality of adversarial speech, over-the-air attacks on deepspeech, before and after enhancement"
    ),
    "table_3": "Table 3. The same for enhancers after adversarial training",
    "table_4": "Table 4. Success of the attacks and WER, played in rooms not seen, without and with enhancement",
    "table_4_hardened": "Table 4, hardened. Enhancers after adversarial training, which the paper does not tell apart",
    "table_transfer": (
        "Attacks heard by a recogniser that they were not made on, played in rooms not seen. The paper's values are "
        "those of its hardened recogniser"
    ),
    "table_attacks": (
        "Every attack, failures included. Success is of the file, RoSA of what is played and not enhanced; distance: "
        "characters to change in the transcript for the phrase, relative to the phrase; WER played is against what was "
        "said. The controls: noise, as loud, and none, the clips as they are. Left out: phrases too long for their "
        "clips"
    ),
    "table_magnitude": (
        "Figure 3 in numbers. The SNR down to which an attacker has to go for all clips to fall, without an enhancer "
        "and against the recogniser behind one that the attacker knows. Spoken: the control that speaks the phrase "
        "over the clip and hides nothing"
    ),
}
# The enhancer that the paper proposes, of which headline numbers tell.
DEFENCE = "u_net_attention"
HEADLINES = {
    "clean_percent": "words of the clean test clips heard rightly (100 less WER)",
    "attacked_percent": "gradient attacks that fail when played in unseen rooms (100 less RoSA)",
    "attack_snr_db": "median signal to the smallest perturbation of a file by gradients",
    "defended_percent": "attacks that fail behind a U-Net with attention which they do not know of",
    "clean_defended_percent": "words of clean speech heard rightly behind it",
}
FIGURES = {
    "figure_2.png": (
        "Figure 2. Log-power spectrograms of one clip: (a) clean, (b) noisy, (c) adversarial, and the last after (d) "
        "the plain attention U-Net, (e) the hardened DNN, (f) the hardened attention U-Net"
    ),
    "figure_3": (
        "Figure 3. Share of clips on which attacks succeed at an SNR or above; diamonds: the paper, all clips"
    ),
}


def read(parameters: dict[str, Any]) -> Measured:
    """What the study's section of params.yaml names now, and nothing else.

    Raises:
        UserError: there is no recogniser, enhancer, adversarial set or score set of both, or several of one.
    """
    victims = parameters["victims"]
    enhancers, recognisers = (
        {name: one for name, one in victims.items() if (one["method"] == "enhancement") == enhances}
        for enhances in (True, False)
    )
    for section, found in (("victims", recognisers and enhancers), ("attacked", parameters["attacked"])):
        if not found:
            expected = "recognisers, enhancers and attacks of the study speech"
            raise UserError(f"params.yaml: speech.{section}", expected, "none", "see params.yaml in git")
    of_mixtures, of_attacks = _scored(parameters["scored"])
    models = {name: one["model"] for name, one in parameters["treatments"].items() if "model" in one}
    mixtures = clip_table.read(DATA / "noisy/clips.csv")
    heard = possible(_heard(of_attacks, parameters, models))
    by_victim = heard.heard_by == heard.victim
    hardened = {one["starts_from"]: name for name, one in enhancers.items() if one.get("starts_from")}
    return Measured(
        clips=clip_table.read(DATA / "audio/clips.csv"),
        mixtures=mixtures,
        decisions=prepared(_decisions(recognisers, "heard_by"), "decision"),
        ratios=_ratios(_decisions(enhancers, "enhancer"), mixtures),
        attacked=prepared(_attacked(parameters, models), "adversarial_prediction"),
        noisy=_heard(of_mixtures, parameters, models),
        heard=heard[by_victim],
        transferred=heard[~by_victim],
        recognisers=list(recognisers),
        enhancers={name: hardened.get(name, "") for name in enhancers if name not in hardened.values()},
        scored=of_attacks,
    )


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """The paper's tables, those it lacks, the data of Figure 3 and the claims, by file name without suffix."""
    paper = printed_tables()
    plain, hardened = list(measured.enhancers), measured.hardened
    noisy = measured.noisy[measured.noisy.version == "noisy"]
    files = measured.heard[(measured.heard.version == "file") & (measured.heard.attack == "over_the_air")]
    files = files[files.heard_by == ATTACKED]
    made = {
        "table_corpora": quality.corpora(measured.clips, measured.mixtures),
        "table_recognisers": quality.recognisers(measured),
        "table_1": quality.quality(noisy, plain, "table_1", paper),
        "table_levels": quality.levels(measured.ratios, [*plain, *hardened]),
        "table_2": quality.quality(files, plain, "table_2", paper),
        "table_3": quality.quality(files, hardened, "table_3", paper),
        "table_4": attacks.table_4(measured.heard, measured.recognisers, plain, paper),
        # Nothing of the paper's stands beside it.
        "table_4_hardened": attacks.table_4(measured.heard, measured.recognisers, hardened, paper.head(0)),
        "table_transfer": attacks.transfer(measured.transferred, paper),
        "table_attacks": attacks.attacks(measured.attacked, measured.heard),
        "table_magnitude": attacks.magnitude(measured.attacked, paper),
        "figure_3": attacks.curves(measured.attacked),
    }
    made["table_4_hardened"] = made["table_4_hardened"].drop(columns=["rosa_paper", "wer_paper"])
    made["claims"] = claims(made, measured, paper)
    return made


def yours(parameters: dict[str, Any], own: set[str]) -> pd.DataFrame:
    """The rows of entries of `own`, which are not the paper's, see `stages.reporting.yours`."""
    made = functools.partial(of_yours, "speech", papers=PAPERS, also=_words)
    treatments = own & set(parameters["treatments"])
    rows = made(parameters, own - treatments, lambda values: tables(read(values)))
    scored = with_stages(parameters) + ([_scored(parameters["scored"])[1]] if treatments else [])
    return pd.concat([rows, *(_treated(name, own) for name in scored)], ignore_index=True)


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers."""
    heard, played, levels = (made[f"table_{name}"] for name in ("recognisers", "4", "magnitude"))
    heard, played = heard[heard.recogniser == ATTACKED], played[played.recogniser == ATTACKED]
    values = {
        "clean_percent": PER_CENT * (1 - cell(heard, "wer", speech="test clips", enhancer=NONE)),
        "attacked_percent": PER_CENT * (1 - cell(played, "rosa", attack="gradient", enhancer=NONE)),
        "attack_snr_db": cell(levels, "snr_median_db", attack="gradient", enhancer=NONE),
        "defended_percent": PER_CENT * (1 - cell(played, "rosa", attack="gradient", enhancer=DEFENCE)),
        "clean_defended_percent": PER_CENT * (1 - cell(heard, "wer", speech="clean", enhancer=DEFENCE)),
    }
    return finite(values)


def printed_tables() -> pd.DataFrame:
    """The paper's values, NaN where a cell is empty; what names a row is text."""
    names = dict.fromkeys(("attack", "recogniser"), "")
    return pd.read_csv(PAPER, keep_default_na=False, na_values=[""]).fillna(names)


def _scored(scored: dict[str, dict]) -> tuple[str, str]:
    """The entries of mixtures and of attacked clips."""
    of_attacks = {name: all(one.startswith("adversarial/") for one in entry["sets"]) for name, entry in scored.items()}
    if sorted(of_attacks.values()) != [False, True]:
        where, expected = "params.yaml: speech.scored", "one of mixtures and one of attacked clips"
        raise UserError(where, expected, ", ".join(scored) or "none", "leave one out, or see params.yaml in git")
    mixtures, attacked = sorted(scored, key=of_attacks.get)
    return mixtures, attacked


def _heard(entry: str, parameters: dict[str, Any], models: dict[str, str]) -> pd.DataFrame:
    """What is heard of an entry's clips, their treatments called as the `models` that make them."""
    table = clip_table.read(DATA / "scores" / entry / "clips.csv")
    attacks = {f"adversarial/{name}": one for name, one in parameters["attacked"].items()}
    of_mixtures = table[~table.set.str.startswith("adversarial/")]
    known = [of_named_attacks(own, attacks[name]) for name, own in table.groupby("set", sort=False) if name in attacks]
    table = pd.concat([of_mixtures, *known]).sort_index()
    # Whose enhancer is somebody's own is no treatment of the paper's.
    treatments = [name for name in parameters["treatments"] if models.get(name, NONE) in (NONE, *parameters["victims"])]
    table = table[table.treatment.isin(treatments)]
    return prepared(table.assign(treatment=table.treatment.replace(models)), "decision")


def _decisions(models: Iterable[str], column: str) -> pd.DataFrame:
    """What the models wrote of test clips when they were trained."""
    read = [clip_table.read(MODELS / name / "decisions.csv").assign(**{column: name}) for name in models]
    made = pd.concat(read, ignore_index=True)
    return made[made.split == "test"].reset_index(drop=True)


def _ratios(ratios: pd.DataFrame, mixtures: pd.DataFrame) -> pd.DataFrame:
    """SNRs before and after enhancement, with the speakers and levels of the mixtures."""
    told = ratios[["key", "clip_id", "split", "enhancer", "snr_in_db", "snr_out_db"]]
    return with_numbers(told.merge(mixtures[["key", "speaker", "snr_db"]], on="key"))


def _attacked(parameters: dict[str, Any], models: dict[str, str]) -> pd.DataFrame:
    """The attacked clips of all entries, and the SNR at which each was as loud as its attack may be."""
    made = []
    for entry, one in parameters["attacked"].items():
        table = of_named_attacks(clip_table.read(DATA / "adversarial" / entry / "clips.csv"), one)
        loudest = {name.rpartition(".")[2]: _loudest_db(parameters["attacks"], name) for name in one["attacks"]}
        through = table.through.replace({"": NONE} | models)
        made.append(table.assign(entry=entry, through=through, loudest_db=table.attack.map(loudest)))
    return pd.concat(made, ignore_index=True)


def _treated(name: str, own: set[str]) -> pd.DataFrame:
    """What each recogniser hears of scored clips of one's own sets, attacks or treatments, as files and played."""
    heard = clip_table.read(DATA / "scores" / name / "clips.csv")
    heard = heard.assign(entry=heard.set.str.removeprefix("adversarial/"))
    heard = prepared(heard[heard[["entry", "attack", "treatment"]].isin(own).any(axis=1)], "decision")
    rows = []
    for where, rows_of in heard.groupby(["entry", "attack", "treatment", "heard_by"], sort=False):
        entry, attack, treatment, heard_by = where
        told, played = attacks.met(rows_of, attack, heard_by, treatment)
        names = {"entry": entry, "attack": attack, "treatment": treatment, "heard_by": heard_by}
        rows.append(names | told | {"n": played})
    return table(rows)


def _words(rows: pd.DataFrame) -> Cells:
    """The WER of what is heard of attacked files, against what was said and against the target."""
    heard = prepared(rows, "adversarial_prediction")
    return error_rate(heard, "wer") | wer_target(heard)


def _loudest_db(attacks: dict[str, Any], name: str) -> float:
    """The bound of the attack of this dotted name, NaN where it has none."""
    entry = functools.reduce(dict.__getitem__, name.split("."), attacks)
    return entry.get("parameters", {}).get("snr_db", math.nan)
