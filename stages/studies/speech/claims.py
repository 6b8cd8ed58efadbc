"""Room of studies: what the text of the speech paper claims, set against what was measured here."""

import dataclasses

import numpy as np
import pandas as pd

from stages.measures import testing
from stages.reporting.cells import possible
from stages.reporting.verdicts import Claim, judged, unit_of
from stages.studies.speech import claims_of_loudness as loudness
from stages.studies.speech import claims_of_quality as quality
from stages.studies.speech import claims_of_success as success
from stages.studies.speech.claims_of_quality import QUALITY, Enhanced
from stages.studies.speech.claims_of_success import ERRORS, UnderAttack, nearly_always
from stages.studies.speech.differences import OURS, UNMEASURED
from stages.studies.speech.heard import ATTACKED, ATTACKS
from stages.studies.speech.measured import NONE, Measured

Made = dict[str, pd.DataFrame]
# What clips are chosen by, and what is asked of them.
NAMES = ("attack", "victim", "heard_by", "treatment", "version")
ASKED = ("pair", "speaker", "cluster", "text", "decision", "hit", "errors", "errors_of", *QUALITY)
# By these adversarial speech is to lose, while its SNR rises.
BUT_SNR = {name: told for name, told in QUALITY.items() if name != "snr_db"}


def claims(made: Made, measured: Measured, paper: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: the paper's figure, ours, and its verdict.

    Differences are those of the same clips (mixtures; or clip, phrase and trial), and of several each has to have the
    sign that is claimed.
    """
    noisy = _narrow(measured.noisy.assign(pair=measured.noisy.source))
    heard, transferred = _by_trial(measured.heard), _by_trial(measured.transferred)
    rows = [
        *_of_quality(noisy, heard, measured, paper),
        *(success.always(measured.attacked, attack) for attack in ("direct", "carlini_wagner")),
    ]
    for attack, name in ATTACKS.items():
        printed = paper[(paper.table == "table_4") & (paper.attack == name)]
        under = UnderAttack(heard, transferred, measured.recognisers, printed, attack, "wer")
        rows.append(success.often(under))
        for measure in ERRORS:
            under = dataclasses.replace(under, measure=measure)
            rows += _under(under, measured)
        # By the WER, the last.
        rows.append(success.by_so_much(under, measured.enhancers))
        rows += loudness.adaptive(made["table_magnitude"], measured.attacked, name)
    rows += quality.contradictions(made)
    rows += _controls(measured, noisy, paper)
    unit = unit_of(pd.concat([own[["speaker", "cluster"]] for own in (noisy, heard, measured.attacked)]))
    return judged([dataclasses.replace(row, unit=unit) for row in rows])


def _by_trial(heard: pd.DataFrame) -> pd.DataFrame:
    """With what pairs the rows of different recognisers and enhancers: clip, phrase and trial."""
    return _narrow(heard.assign(pair=heard.clip_id + "/" + heard.target + "/" + heard.trial.astype(str)))


def _narrow(heard: pd.DataFrame) -> pd.DataFrame:
    """The columns that claims ask for, names as categories: so some hundreds of choices of rows are quick."""
    own = heard[[name for name in (*NAMES, *ASKED) if name in heard]]
    return own.astype({name: "category" for name in NAMES if name in heard})


def _of_quality(noisy: pd.DataFrame, heard: pd.DataFrame, measured: Measured, paper: pd.DataFrame) -> list[Claim]:
    mixtures = noisy[noisy.version == "noisy"].drop_duplicates(["pair", "treatment"])
    files = heard[(heard.version == "file") & (heard.attack == "over_the_air") & (heard.heard_by == ATTACKED)]
    plain, hardened, attacked = list(measured.enhancers), measured.hardened, "adversarial speech"
    table = {f"table_{number}": paper[paper.table == f"table_{number}"] for number in (1, 2, 3)}
    of_attacked = Enhanced(files, plain, table["table_2"], "every enhancer", attacked)
    return [
        *quality.moves(Enhanced(mixtures, plain, table["table_1"], "every enhancer", "noisy speech"), QUALITY),
        quality.u_nets(mixtures, plain),
        *quality.moves(of_attacked, {"snr_db": QUALITY["snr_db"]}),
        *quality.moves(of_attacked, BUT_SNR, rises=False),
        *quality.moves(Enhanced(files, hardened, table["table_3"], "every hardened enhancer", attacked), QUALITY),
        quality.hardened_best(files, hardened),
        quality.hardening(files, measured.enhancers),
    ]


def _under(under: UnderAttack, measured: Measured) -> list[Claim]:
    """What the paper says of one attack by one measure."""
    kinds = {"enhancer": list(measured.enhancers), "hardened enhancer": measured.hardened}
    return [
        *(success.lowers(under, kind, own) for kind, own in kinds.items()),
        *(success.lowers_most(under, kind, own) for kind, own in kinds.items()),
        *(success.hardened_recogniser(under, made_on) for made_on in (success.HARDENED, ATTACKED)),
    ]


def _controls(measured: Measured, noisy: pd.DataFrame, paper: pd.DataFrame) -> list[Claim]:
    return [
        _noise(possible(measured.attacked), measured.heard),
        *loudness.spoken(measured.attacked, paper),
        _by_chance(noisy, set(measured.attacked.target)),
        *(quality.clean(noisy, measured.enhancers, recogniser) for recogniser in measured.recognisers),
        success.hardened_on_clean(measured.decisions),
    ]


def _noise(attacked: pd.DataFrame, heard: pd.DataFrame) -> Claim:
    claim = (
        "noise as loud as the attacks is never transcribed as the phrase, be it played or not (taken as: 1 of 10 times "
        "at most)"
    )
    files = attacked[attacked.attack == "noise"]
    played = heard[(heard.attack == "noise") & (heard.version == "played") & (heard.treatment == NONE)]
    if files.empty:
        return Claim(claim, OURS, UNMEASURED)
    here = f"RoSA {_percent(played.hit.mean())}, of files {_percent(files.success.mean())}; {len(files)} clips"
    hits = (files.success, files), (played.hit, played)
    never = testing.all_of([nearly_always(1 - own.astype(float), clips) for own, clips in hits])
    return Claim(claim, OURS, here, "share of files, and of trials, not transcribed so less 90 %", never)


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if np.isfinite(value) else UNMEASURED


def _by_chance(noisy: pd.DataFrame, targets: set[str]) -> Claim:
    claim = (
        "speech that nobody attacked is never transcribed as a phrase that is injected, with or without noise (taken "
        "as: 1 of 10 times at most)"
    )
    own = noisy[~noisy.text.isin(targets)]
    if own.empty:
        return Claim(claim, OURS, UNMEASURED)
    hits = own.decision.isin(targets)
    here = f"{hits.sum()} of {len(own)} transcripts"
    never = nearly_always(1 - hits.astype(float), own)
    return Claim(claim, OURS, here, "share of transcripts that are none less 90 %", never)
