"""Room of studies: what the text of the speech paper claims, set against what was measured here."""

import numpy as np
import pandas as pd

from stages.reporting.verdicts import COLUMNS, Claim, judged, untested
from stages.studies.speech import claims_of_loudness as loudness
from stages.studies.speech import claims_of_quality as quality
from stages.studies.speech import claims_of_success as success
from stages.studies.speech.claims_of_quality import QUALITY, Enhanced
from stages.studies.speech.claims_of_success import ERRORS, UnderAttack
from stages.studies.speech.differences import OURS
from stages.studies.speech.heard import ATTACKED, ATTACKS
from stages.studies.speech.measured import Measured

Made = dict[str, pd.DataFrame]
# By these adversarial speech is to lose, while its SNR rises.
BUT_SNR = {name: told for name, told in QUALITY.items() if name != "snr_db"}


def claims(made: Made, measured: Measured, paper: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: the paper's figure, ours, and whether it holds.

    Differences are those of the same clips (mixtures; or clip, phrase and trial), and of several the claim holds if
    each has its sign. `certain` says whether the 95 % intervals that decide stand clear of no difference, in the sense
    of the verdict: all of them where it holds, else one.
    """
    noisy = measured.noisy.assign(pair=measured.noisy.source)
    heard, transferred = _by_trial(measured.heard), _by_trial(measured.transferred)
    rows = [
        *_of_quality(noisy, heard, measured, paper),
        *(success.always(made["table_attacks"], attack) for attack in ("direct", "carlini_wagner")),
        *(success.often(made["table_4"], name) for name in ATTACKS.values()),
    ]
    for attack, name in ATTACKS.items():
        printed = paper[(paper.table == "table_4") & (paper.attack == name)]
        for measure in ERRORS:
            under = UnderAttack(heard, transferred, measured.recognisers, printed, attack, measure)
            rows += _under(under, measured)
        # By the WER, the last.
        rows.append(success.by_so_much(under, measured.enhancers))
        rows += loudness.adaptive(made["table_magnitude"], measured.attacked, name)
    rows += quality.contradictions(made)
    return pd.DataFrame([*rows, *_controls(made, measured, noisy, paper)], columns=COLUMNS)


def _by_trial(heard: pd.DataFrame) -> pd.DataFrame:
    """With what pairs the rows of different recognisers and enhancers: clip, phrase and trial."""
    return heard.assign(pair=heard.clip_id + "/" + heard.target + "/" + heard.trial.astype(str))


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


def _controls(made: Made, measured: Measured, noisy: pd.DataFrame, paper: pd.DataFrame) -> list[Claim]:
    return [
        _noise(made["table_attacks"]),
        *loudness.spoken(measured.attacked, paper),
        _by_chance(noisy, set(measured.attacked.target)),
        *(quality.clean(noisy, measured.enhancers, recogniser) for recogniser in measured.recognisers),
        success.hardened_on_clean(measured.decisions),
    ]


def _noise(attacks: pd.DataFrame) -> Claim:
    claim = "noise as loud as the attacks is never transcribed as the phrase, be it played or not"
    own = attacks[attacks.attack == "noise"]
    rates = pd.concat([own.success, own.rosa]).dropna()
    if rates.empty:
        return untested(claim, OURS)
    here = f"RoSA {_percent(own.rosa.max())}, of files {_percent(own.success.max())}; {own.n.sum()} clips"
    return judged(claim, OURS, here, bool((rates == 0).all()))


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if np.isfinite(value) else "not measured"


def _by_chance(noisy: pd.DataFrame, targets: set[str]) -> Claim:
    claim = "speech that nobody attacked is never transcribed as a phrase that is injected, with or without noise"
    own = noisy[~noisy.text.isin(targets)]
    if own.empty:
        return untested(claim, OURS)
    hits = own.decision.isin(targets)
    return judged(claim, OURS, f"{hits.sum()} of {len(own)} transcripts", not hits.any())
