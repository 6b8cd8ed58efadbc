"""Room of studies: the tables of models that others trained, as they deploy them: Whisper, NSNet2, DNSMOS and MiniLM.

Intervals are at 95 % and take into account that clips share speakers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table
from stages.frame.columns import typed
from stages.measures.recall import uar, uar_change, uar_interval
from stages.measures.transcripts import word_error_counts
from stages.reporting.cells import (
    PER_CENT,
    Cells,
    cell,
    cells,
    error_rate,
    finite,
    mean,
    possible,
    share,
    table,
    with_clusters,
)
from stages.reporting.study import of_named_attacks
from stages.studies.audit import guards

MODELS = Path(__file__).with_name("models.csv")
TITLE = "Real models: a recogniser, an enhancer, encoders and a measure that people deploy"
NOTE = (
    "Models are used as their makers trained them; clips are of the corpora named above, not of those that they were "
    "trained on, as far as their makers say. The word error rate (WER) is of plain lower-case words; said is the share "
    "of clips that are heard exactly as the phrase. Opinions are what DNSMOS P.835 says, 1 to 5. Noise is the control, "
    "as loud as the attack may be; of clips behind a treatment what the attack added, in another order. Who knows of a "
    "treatment attacks Whisper through it; what comes of it is heard through the true one, as the audit does."
)
TABLES = {
    "table_models": "The models, as makers and packages tell of them",
    "table_recogniser": "Whisper on clean test clips",
    "table_untargeted": "Whisper under projected gradient descent against what was said, and noise as loud",
    "table_phrases": "Phrases put into what Whisper hears: the smallest perturbation, and noise at 20 dB",
    "table_treated": "Behind treatments: what Whisper hears under descent at 30 dB (WER), phrases that come to nothing",
    "table_enhancers": "Enhancers on the same mixtures of speech and noise, and what Whisper hears",
    "table_sounds": "Silero VAD: the smallest perturbation that hides speech, or makes noise heard as speech",
    "table_emotions": "Emotion by heads on frames of Whisper's encoder or descriptors, each speaker left out in turn",
    "table_emotions_paired": "Recall on frames of Whisper's encoder less that on descriptors, the same clips",
    "table_dialogs": "Emotion by speech and text: MiniLM in the place of the small BERT",
}
HEADLINES = {
    "clean_percent": "words of clean test clips that Whisper hears rightly (100 less WER)",
    "attacked_percent": "the same under projected gradient descent at an SNR of 30 dB",
    "attack_snr_db": "median signal to the smallest perturbation that makes it write the phrase",
    "defended_percent": "words heard rightly of clips attacked at 30 dB behind NSNet2, which attackers do not know of",
    "aware_percent": "the same where attackers know of it",
    "clean_defended_percent": "words of mixtures with noise heard rightly behind NSNet2",
}
FIGURES: dict[str, str] = {}
# No paper has these tables.
PAPERS: dict[str, tuple[str, ...]] = {}
READERS = ()
RECOGNISER, DEFENCE, LOUD = "whisper", "nsnet2", "pgd_30"
QUALITY = ("snr_db", "pesq_wb", "stoi", "sti", "opinion_speech", "opinion_background", "opinion_overall")
NUMBERS = (*QUALITY, "mixed_at_db", "attacked_at_db", "forwards", "backwards")
# Of two kinds of frames or of text, what the second is compared with.
EMOTIONS, DIALOGS = ("lld_heads", "whisper_heads"), ("bimodal_small_bert", "bimodal_minilm")


@dataclass(frozen=True)
class Measured:
    """What the study is told from: decisions on clean clips, attacked clips, clips behind treatments, and emotions."""

    recognised: pd.DataFrame
    attacked: pd.DataFrame
    treated: pd.DataFrame
    mixtures: pd.DataFrame
    emotions: dict[str, pd.DataFrame]


def read(parameters: dict[str, Any]) -> Measured:
    """What the study's section of params.yaml names now."""
    recognised = clip_table.read(f"models/real/{RECOGNISER}/decisions.csv")
    attacked = [
        of_named_attacks(clip_table.read(Path("data/real/adversarial", name, "clips.csv")), entry).assign(entry=name)
        for name, entry in parameters["attacked"].items()
    ]
    return Measured(
        recognised=prepared(recognised[recognised.split == "test"], "decision"),
        attacked=prepared(pd.concat(attacked, ignore_index=True), "adversarial_prediction"),
        treated=prepared(guards.read(parameters["guarded"], Path("data/real/guarded")), "decision"),
        mixtures=prepared(clip_table.read("data/real/scores/mixtures/clips.csv"), "decision"),
        emotions={
            name: clip_table.read(Path("models/real", name, "decisions.csv")).astype({"size": str})
            for name in (*EMOTIONS, *DIALOGS)
        },
    )


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """All tables, by file name without suffix."""
    recognised = measured.attacked[measured.attacked.text != ""]
    phrases, untargeted = (recognised[(recognised.target != "") == aimed] for aimed in (True, False))
    sounds = measured.attacked[measured.attacked.text == ""]
    words = measured.treated[measured.treated.target == ""].sort_values("errors", kind="stable")
    # Of several tries on a clip the worst counts.
    words = words.drop_duplicates(["guard", "knowledge", "clip_id"], keep="last").sort_index()
    heads = [(name, "mlp", size) for name in EMOTIONS for size in ("100", "all")]
    dialogs = [(name, model, "all") for name in DIALOGS for model in ("bimodal", "text")]
    return {
        "table_models": pd.read_csv(MODELS, keep_default_na=False),
        "table_recogniser": table([_words(measured.recognised)]),
        "table_untargeted": _by(untargeted, ["attack"], _untargeted),
        "table_phrases": _by(
            pd.concat([possible(phrases).assign(target="all"), possible(phrases)]), ["attack", "target"], _smallest
        ),
        "table_treated": _by(words, ["guard"], _by_knowledge).merge(
            _guards(measured.treated[measured.treated.target != ""]), on="guard", how="outer", sort=False
        ),
        "table_enhancers": _by(measured.mixtures, ["version", "treatment"], _enhanced),
        "table_sounds": _by(sounds, ["attack", "sound"], _smallest),
        "table_emotions": table([_recall(measured.emotions, *one) for one in heads]),
        "table_emotions_paired": table([_change(measured.emotions, EMOTIONS, "mlp", size) for size in ("100", "all")]),
        "table_dialogs": table(
            [_recall(measured.emotions, *one) for one in dialogs]
            + [_change(measured.emotions, DIALOGS, model, "all") for model in ("bimodal", "text")]
        ),
    }


def yours(parameters: dict[str, Any], own: set[str]) -> pd.DataFrame:
    """No entry is a paper's, so none is one's own."""
    return pd.DataFrame(columns=["entry"])


def metrics(made: dict[str, pd.DataFrame]) -> dict[str, float]:
    """The headline numbers."""
    behind, mixtures = made["table_treated"], made["table_enhancers"]
    values = {
        "clean_percent": PER_CENT * (1 - made["table_recogniser"].wer.iloc[0]),
        "attacked_percent": PER_CENT * (1 - cell(made["table_untargeted"], "wer", attack=LOUD)),
        "attack_snr_db": cell(made["table_phrases"], "snr_median_db", attack="smallest", target="all"),
        "defended_percent": PER_CENT * (1 - cell(behind, "wer_unaware", guard=DEFENCE)),
        "aware_percent": PER_CENT * (1 - cell(behind, "wer_aware", guard=DEFENCE)),
        "clean_defended_percent": PER_CENT * (1 - cell(mixtures, "wer", version="noisy", treatment=DEFENCE)),
    }
    return finite(values)


def prepared(clips: pd.DataFrame, said: str) -> pd.DataFrame:
    """Rows of which the column `said` is a transcript, with its `errors` in `errors_of` words, and clusters."""
    told = clips.assign(corpus="real", label="", sound=clips.label if "label" in clips else "")
    made = with_clusters(typed(told, NUMBERS, ("success", "impossible")))
    made[["errors", "errors_of"]] = word_error_counts(list(made.text), list(made[said]))
    return made


def _by(rows: pd.DataFrame, keys: list[str], told: Any) -> pd.DataFrame:
    """A row for each value of the columns `keys`, with what `told` tells of its rows."""
    made = [dict(zip(keys, where)) | told(own) for where, own in rows.groupby(keys, sort=False)]
    return table(made, keys)


def _words(own: pd.DataFrame) -> Cells:
    """The WER, of how many clips of how many speakers and how many words."""
    return error_rate(own, "wer") | {
        "words": int(own.errors_of.sum()),
        "n": len(own),
        "speakers": own.speaker.nunique(),
    }


def _untargeted(own: pd.DataFrame) -> Cells:
    clean = own.copy()
    clean[["errors", "errors_of"]] = word_error_counts(list(own.text), list(own.clean_prediction))
    changed = (own.adversarial_prediction != own.clean_prediction).rename("changed")
    told = {"snr_median_db": own.snr_db.median()} | error_rate(clean, "wer_clean") | _words(own)
    return told | share(changed, own.cluster, "changed")


def _smallest(own: pd.DataFrame) -> Cells:
    """Of all clips whether the attack succeeded, of those where it did how loud it was."""
    fallen = own[own.success]
    told = share(own.success, own.cluster, "success") | {"n": len(own), "fallen": len(fallen)}
    told |= {"snr_median_db": fallen.snr_db.median(), "snr_lowest_db": fallen.snr_db.min()}
    return told | {"snr_highest_db": fallen.snr_db.max(), "backwards": own.backwards.mean()}


def _by_knowledge(own: pd.DataFrame) -> Cells:
    """The WER of clips as they are, with noise as loud, and attacked by who does not and who does know."""
    told: Cells = {}
    for knowledge in ("benign", "none", "unaware", "aware"):
        told |= error_rate(own[own.knowledge == knowledge], f"wer_{knowledge}")
    return told | {"n": own.clip_id.nunique(), "speakers": own.speaker.nunique()}


def _guards(rows: pd.DataFrame) -> pd.DataFrame:
    """The audit's row for each treatment, without what is of detectors alone."""
    made = guards.guards(rows).rename(columns={"n": "phrases"})
    of_others = ("auc_", "transplant", "extra", "study", "entry", "victim", "clusters")
    return made.drop(columns=[name for name in made if name.startswith(of_others)])


def _enhanced(own: pd.DataFrame) -> Cells:
    told: Cells = {}
    for name in QUALITY:
        told |= mean(own[name], own.cluster, name)
    return told | _words(own)


def _recall(emotions: dict[str, pd.DataFrame], victim: str, model: str, size: str) -> Cells:
    """The recall of a kind of model, pooled over the speakers that were left out, and over draws."""
    own = _chosen(emotions[victim], model, size)
    low, high = uar_interval(own.label, own.decision, own.speaker)
    told = {"victim": victim, "model": model, "examples": size}
    told |= cells("uar", uar(own.label, own.decision), low, high)
    return told | {"n": own.clip_id.nunique(), "speakers": own.speaker.nunique()}


def _change(emotions: dict[str, pd.DataFrame], pair: tuple[str, str], model: str, size: str) -> Cells:
    """The recall of the second victim of a pair less that of the first, on the same clips and draws."""
    before, after = (_chosen(emotions[name], model, size) for name in pair)
    both = before.merge(after, on=["draw", "clip_id"], suffixes=("", "_after"))
    told = {"victim": f"{pair[1]} less {pair[0]}", "model": model, "examples": size}
    told |= cells("uar", *uar_change(both.label, both.decision, both.decision_after, both.speaker))
    return told | {"n": both.clip_id.nunique(), "speakers": both.speaker.nunique()}


def _chosen(decisions: pd.DataFrame, model: str, size: str) -> pd.DataFrame:
    return decisions[(decisions.model == model) & (decisions["size"] == size)]
