"""Room of studies: the tables of Yang et al., "Characterizing speech adversarial examples using self-attention U-Net
enhancement".

Intervals are at 95 % and take into account that clips share speakers.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.studies import speech_attacks, speech_claims, speech_figures
from stages.studies.cells import mean
from stages.studies.speech_attacks import ATTACKED, MEASURES, NONE, ordered, prepared, printed, wer, with_numbers

PAPER = Path(__file__).with_name("speech_paper.csv")
# The corpus, and the set that holds its clips.
CORPORA = {"speech": "audio"}
ENHANCEMENT = "enhancement"

TITLE = "Speech recognition: phrases put into what is heard, and enhancement as the defence"
NOTE = (
    "Word error rates (WER) are those of the best path, against what was said, unless they are called otherwise. RoSA is "
    "the rate of successful attacks: the share of all trials, of every attacked clip and phrase, that the recogniser "
    "transcribes exactly as the phrase; failures are among them. The trials are played in rooms that no attack has "
    "seen; RoSA file is that of the files, not played. Where the paper has per cent, here are shares. It does not say "
    "whether its attacks on the hardened recogniser were made anew: in Table 4 each recogniser is attacked with its own "
    "gradients, and what the hardened one hears of attacks on the undefended one stands beside it. Nor does it say whether the enhancers of its Table 4 were hardened: both kinds are here, and its values "
    "stand beside the plain ones. PESQ raw is the paper's formula, narrow band before the mapping to opinion scores; "
    "wb and nb are those scores of wide and narrow band. The built-in scale's attack over the air has all frequencies; "
    "in band is the same held to the paper's 1 to 4 kHz. Means are of the clips that have a finite value: undefined "
    "counts those that lack one or more."
)
TABLES = {
    "table_corpora": "The corpus. Clips of speech, and mixtures with noise at each level",
    "table_recognisers": (
        "The recognisers: WER on clean test clips, by the best path, by beam search and by beam search with a model of "
        "the training texts' words; and on mixtures and the clean clips in them, untreated and enhanced"
    ),
    "table_1": "Table 1. Quality of noisy speech, untreated and enhanced. Mixtures of the test split",
    "table_levels": "SNR of test mixtures before and after enhancement, by the level that they were mixed at",
    "table_2": "Table 2. Quality of adversarial speech, over-the-air attacks on deepspeech, before and after enhancement",
    "table_3": "Table 3. The same for enhancers after adversarial training",
    "table_4": "Table 4. Success of the attacks and WER, played in rooms not seen, without and with enhancement",
    "table_4_hardened": "Table 4 for enhancers after adversarial training, which the paper does not tell apart",
    "table_transfer": (
        "Attacks heard by a recogniser that they were not made on, played in rooms not seen. The paper's values are those "
        "of its hardened recogniser"
    ),
    "table_attacks": (
        "Every attack, failures included. Success is of the file, RoSA of what is played and not enhanced; distance: "
        "characters to change in the transcript for the phrase, relative to the phrase; WER played is against what was said. "
        "The controls: noise, as loud, and none, the clips as they are"
    ),
    "table_magnitude": (
        "Figure 3 in numbers. The SNR down to which an attacker has to go for all clips to fall, without an enhancer "
        "and against the recogniser behind one that the attacker knows. Spoken: the control that speaks the phrase over "
        "the clip and hides nothing"
    ),
}
FIGURES = {
    "figure_2.png": (
        "Figure 2. Log-power spectrograms of one clip: (a) clean, (b) noisy, (c) adversarial, and the last after (d) the "
        "plain attention U-Net, (e) the hardened DNN, (f) the hardened attention U-Net"
    ),
    "figure_3.png": "Figure 3. Share of clips on which attacks succeed at an SNR or above; crosses: the paper, all clips",
}


@dataclass(frozen=True)
class Measured:
    """What the study is told from.

    Clips and mixtures; the recognisers' decisions on clean clips; the enhancers' SNRs; attacked clips; what was assessed of
    mixtures; and of attacked clips, `heard` by the recogniser that was attacked or `transferred` to another one.
    `enhancers` gives each plain one's hardened one, "" where it has none; `assessed` the item of `enhancements` of both.
    """

    clips: pd.DataFrame
    mixtures: pd.DataFrame
    decisions: pd.DataFrame
    ratios: pd.DataFrame
    attacked: pd.DataFrame
    noisy: pd.DataFrame
    heard: pd.DataFrame
    transferred: pd.DataFrame
    recognisers: list[str]
    enhancers: dict[str, str]
    assessed: dict[str, str]


def read(parameters: dict[str, Any]) -> Measured:
    """What params.yaml names now, and nothing else.

    Raises:
        UserError: there is no recogniser, enhancer, injection or assessment of both, or several assessments of one.
    """
    sections = {
        name: {item: one for item, one in parameters[name].items() if one["study"] in CORPORA}
        for name in ("victims", "hardening", "injections", "assessments")
    }
    models = sections["victims"] | sections["hardening"]
    recognisers = {name: one for name, one in models.items() if one["method"] != ENHANCEMENT}
    enhancers = {name: one for name, one in models.items() if one["method"] == ENHANCEMENT}
    found = {"victims": recognisers and enhancers, "injections": sections["injections"]}
    for what, own in found.items():
        if not own:
            expected = "recognisers, enhancers and attacks of the study speech"
            raise UserError(f"params.yaml: {what}", expected=expected, found="none", do="see params.yaml in git")
    sources = {name: parameters["enhancements"][name]["source"] for name in sections["assessments"]}
    if sorted(sources.values()) != ["injected", "noisy"]:
        what = {"expected": "one of mixtures and one of attacked clips", "found": ", ".join(sources) or "none"}
        raise UserError("params.yaml: assessments", **what, do="leave one out, or see params.yaml in git")
    assessed = {source: name for name, source in sources.items()}
    tables = {kind: clip_table.read(f"data/speech/assessed/{name}/clips.csv") for kind, name in assessed.items()}
    mixtures = clip_table.read("data/speech/noisy/clips.csv")
    hardened = {one["starts_from"]: name for name, one in sections["hardening"].items()}
    heard = prepared(tables["injected"], "transcript")
    by_victim = heard.recogniser == heard.victim
    return Measured(
        clip_table.read("data/speech/audio/clips.csv"),
        mixtures,
        prepared(_decisions(recognisers, "recogniser"), "decision"),
        _ratios(_decisions(enhancers, "enhancer"), mixtures),
        prepared(_attacked(sections["injections"]), "adversarial_prediction"),
        prepared(tables["noisy"], "transcript"),
        heard[by_victim],
        heard[~by_victim],
        list(recognisers),
        {name: hardened.get(name, "") for name in enhancers if name in sections["victims"]},
        assessed,
    )


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """The paper's tables, those it lacks, the data of Figure 3 and the claims, by file name without suffix."""
    paper = printed_tables()
    plain, hardened = list(measured.enhancers), [name for name in measured.enhancers.values() if name]
    noisy = measured.noisy[measured.noisy.version == "noisy"]
    files = measured.heard[(measured.heard.version == "file") & (measured.heard.attack == "over_the_air")]
    files = files[files.recogniser == ATTACKED]
    made = {
        "table_corpora": _corpora(measured.clips, measured.mixtures),
        "table_recognisers": _recognisers(measured),
        "table_1": _quality(noisy, plain, "table_1", paper),
        "table_levels": _levels(measured.ratios, [*plain, *hardened]),
        "table_2": _quality(files, plain, "table_2", paper),
        "table_3": _quality(files, hardened, "table_3", paper),
        "table_4": speech_attacks.table_4(measured.heard, measured.recognisers, plain, paper),
        # Nothing of the paper's stands beside it.
        "table_4_hardened": speech_attacks.table_4(measured.heard, measured.recognisers, hardened, paper.head(0)),
        "table_transfer": speech_attacks.transfer(measured.transferred, paper),
        "table_attacks": speech_attacks.attacks(measured.attacked, measured.heard),
        "table_magnitude": speech_attacks.magnitude(measured.attacked, paper),
        "figure_3": speech_attacks.curves(measured.attacked),
    }
    made["table_4_hardened"] = made["table_4_hardened"].drop(columns=["rosa_paper", "wer_paper"])
    made["claims"] = speech_claims.claims(made, measured, paper)
    return made


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers."""
    values: dict[str, float] = {}
    for row in made["table_recognisers"].itertuples():
        if row.enhancer == NONE and row.speech in ("test clips", "noisy"):
            values[f"wer_{'clean' if row.speech == 'test clips' else 'noisy'}_{row.recogniser}"] = row.wer
    levels = made["table_levels"]
    for enhancer, own in levels.groupby("enhancer", sort=False):
        values[f"snr_gain_db_{enhancer}"] = own.gain_db.mean()
    for row in made["table_attacks"].itertuples():
        if row.attack == "direct":
            values[f"success_direct_{row.item}"] = row.success
    for row in made["table_4"].itertuples():
        if row.recogniser == ATTACKED or row.enhancer == NONE:
            values[f"rosa_{row.attack}_{row.recogniser}_{row.enhancer}"] = row.rosa
    for row in made["table_magnitude"].itertuples():
        values[f"snr_median_db_{row.attack}_{row.enhancer}"] = row.snr_median_db
    told = {name: round(float(value), 4) for name, value in values.items() if math.isfinite(value)}
    return told | {"claims_that_hold": int((made["claims"].verdict == "holds").sum())}


def printed_tables() -> pd.DataFrame:
    """The paper's values, NaN where a cell is empty; what names a row is text."""
    names = dict.fromkeys(("attack", "recogniser"), "")
    return pd.read_csv(PAPER, keep_default_na=False, na_values=[""]).fillna(names)


def figures(made: dict[str, pd.DataFrame], measured: Measured, folder: Path) -> None:
    """Draws Figures 2 and 3."""
    speech_figures.draw(made, measured, folder)


def _decisions(models: dict[str, dict], column: str) -> pd.DataFrame:
    """What the models wrote of test clips when they were trained."""
    read = [
        clip_table.read(Path("models/speech", one["network"], name, "decisions.csv")).assign(**{column: name})
        for name, one in models.items()
    ]
    made = pd.concat(read, ignore_index=True)
    return made[made.split == "test"].reset_index(drop=True)


def _ratios(ratios: pd.DataFrame, mixtures: pd.DataFrame) -> pd.DataFrame:
    """SNRs before and after enhancement, with the speakers and levels of the mixtures."""
    told = ratios[["key", "clip_id", "split", "enhancer", "snr_in_db", "snr_out_db"]]
    return with_numbers(told.merge(mixtures[["key", "speaker", "snr_db"]], on="key"))


def _attacked(injections: dict[str, dict]) -> pd.DataFrame:
    """The attacked clips of all items, and the SNR at which each was as loud as its attack may be."""
    made = []
    for item, one in injections.items():
        folder = "injected" if one["enhancer"] is None else "injected_through"
        table = clip_table.read(f"data/speech/{folder}/{item}/clips.csv").assign(item=item)
        loudest = {name: entry.get("snr_db", math.nan) for name, entry in one["attacks"].items()}
        made.append(table.assign(loudest_db=table.attack.map(loudest)))
    return pd.concat(made, ignore_index=True)


def _corpora(clips: pd.DataFrame, mixtures: pd.DataFrame) -> pd.DataFrame:
    made = []
    for split in clip_table.SPLITS:
        own, mixed = clips[clips.split == split], mixtures[mixtures.split == split]
        speech, noise = own[own.text != ""], own[own.text == ""]
        readable, mixed = speech[speech.problem == ""], mixed[mixed.problem == ""]
        row = {"split": split, "n": len(readable), "unreadable": int((own.problem != "").sum())}
        row |= {"speakers": readable.speaker.nunique(), "minutes": round(readable.duration_s.sum() / 60, 1)}
        row |= {"kinds_of_noise": noise.speaker.nunique(), "kinds_mixed": mixed.noise.nunique()}
        made.append(row | {f"at_{level:g}_db": int((mixed.snr_db == level).sum()) for level in _levels_of(mixtures)})
    return pd.DataFrame(made)


def _levels_of(mixtures: pd.DataFrame) -> list[float]:
    return sorted(mixtures.snr_db.unique(), reverse=True)


def _recognisers(measured: Measured) -> pd.DataFrame:
    """WER on clean test clips, and of what each enhancer makes of mixtures and of the clean clips in them."""
    made = []
    enhancers = [name for pair in measured.enhancers.items() for name in pair if name]
    for recogniser in measured.recognisers:
        own = measured.decisions[measured.decisions.recogniser == recogniser]
        row: dict[str, Any] = {"recogniser": recogniser, "speech": "test clips", "enhancer": NONE} | wer(own, "wer")
        for way in ("beam", "n_gram"):
            # A recogniser that was not asked for it has no such column, or empty cells beside one that was.
            asked = own[own[f"decision_{way}"].notna()] if f"decision_{way}" in own else own.head(0)
            row |= wer(prepared(asked, f"decision_{way}"), f"wer_{way}") if len(asked) else {}
        made.append(row | {"n": len(own)})
        heard = measured.noisy[measured.noisy.recogniser == recogniser]
        for speech in ("clean", "noisy"):
            for enhancer in ("", *enhancers):
                own = heard[(heard.version == speech) & (heard.enhancer == enhancer)]
                where = {"recogniser": recogniser, "speech": speech, "enhancer": enhancer or NONE}
                made.append(where | wer(own, "wer") | {"n": len(own)})
    return ordered(made, ("recogniser", "speech", "enhancer", "wer", "wer_beam", "wer_n_gram", "n"))


def _quality(rows: pd.DataFrame, enhancers: list[str], table: str, paper: pd.DataFrame) -> pd.DataFrame:
    """Tables 1 to 3: mean quality before and after each enhancer, each clip once whoever heard it."""
    rows = rows.drop_duplicates(["set", "member", "enhancer"])
    made = []
    for enhancer in ("", *enhancers):
        own = rows[rows.enhancer == enhancer]
        row: dict[str, Any] = {"enhancer": enhancer or NONE}
        for name in MEASURES:
            row |= mean(own[name], own.cluster, name)
        row |= printed(paper, table, ("pesq_raw", "sti", "stoi", "snr_db"), enhancer=enhancer or NONE)
        undefined = int((~np.isfinite(own[list(MEASURES)])).any(axis=1).sum())
        made.append(row | {"undefined": undefined, "n": len(own)})
    return ordered(made, ("enhancer", *MEASURES, "undefined", "n"))


def _levels(ratios: pd.DataFrame, enhancers: list[str]) -> pd.DataFrame:
    made = []
    for level in sorted(ratios.snr_db.unique(), reverse=True):
        for enhancer in enhancers:
            own = ratios[(ratios.snr_db == level) & (ratios.enhancer == enhancer)]
            # Zero is added so that none is below it.
            row = {"mixed_at_db": level, "enhancer": enhancer, "snr_in_db": round(own.snr_in_db.mean(), 4) + 0.0}
            row |= mean(own.snr_out_db, own.cluster, "snr_out_db")
            row |= mean(own.snr_out_db - own.snr_in_db, own.cluster, "gain_db")
            made.append(row | {"n": len(own)})
    columns = ("mixed_at_db", "enhancer", "snr_in_db", "snr_out_db", "gain_db", "gain_db_undefined", "n")
    return ordered(made, columns)
