"""Room of studies: what the text of the speech paper claims, set against what was measured here."""

import dataclasses

import pandas as pd

from stages.reporting.verdicts import Claim, judged, unit_of
from stages.studies.speech import claims_of_loudness as loudness
from stages.studies.speech import claims_of_quality as quality
from stages.studies.speech import claims_of_success as success
from stages.studies.speech.claims_of_quality import QUALITY, Enhanced
from stages.studies.speech.claims_of_success import ERRORS, UnderAttack
from stages.studies.speech.heard import ATTACKED, ATTACKS
from stages.studies.speech.measured import Measured

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
        success.always(measured.attacked),
    ]
    for attack, name in ATTACKS.items():
        printed = paper[(paper.table == "table_4") & (paper.attack == name)]
        under = UnderAttack(heard, transferred, measured.recognisers, printed, attack, "wer")
        rows.append(success.often(under))
        for measure in ERRORS:
            under = dataclasses.replace(under, measure=measure)
            rows += _under(under, measured)
        rows.append(success.lowers_most(under, [list(measured.enhancers), measured.hardened]))
        # By the WER, the last.
        rows.append(success.by_so_much(under, measured.enhancers))
        rows += loudness.adaptive(made["table_magnitude"], measured.attacked, name)
    rows += quality.contradictions(made)
    rows += _controls(measured, noisy, heard, paper)
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
    return [
        success.lowers(under, [*measured.enhancers, *measured.hardened]),
        *(success.hardened_recogniser(under, made_on) for made_on in (success.HARDENED, ATTACKED)),
    ]


def _controls(measured: Measured, noisy: pd.DataFrame, heard: pd.DataFrame, paper: pd.DataFrame) -> list[Claim]:
    return [
        success.above_controls(heard),
        *loudness.spoken(measured.attacked, paper),
        quality.clean(noisy, measured.enhancers, measured.recognisers),
        success.hardened_on_clean(measured.decisions),
    ]
