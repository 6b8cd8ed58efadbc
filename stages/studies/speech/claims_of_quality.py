"""Room of studies: what the speech paper claims of enhancers: how good they leave clips, and clean speech."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.reporting.verdicts import Claim
from stages.studies.speech.differences import after, all_rise, difference, none_higher
from stages.studies.speech.measured import NONE

ATTENTION = "u_net_attention"
HARDENED_ATTENTION = "u_net_attention_hardened"
DNN = "dnn"
QUALITY = {"pesq_raw": "PESQ", "sti": "STI", "stoi": "STOI", "snr_db": "SNR"}


@dataclass(frozen=True)
class Enhanced:
    """Clips before and after enhancers, what the paper's table has of them, and what claims call both."""

    clips: pd.DataFrame
    enhancers: list[str]
    printed: pd.DataFrame
    who: str
    of: str


def moves(enhanced: Enhanced, measures: dict[str, str], *, rises: bool = True) -> list[Claim]:
    """Each measure for itself: every enhancer raises it, or lowers it."""
    made = []
    for name, told in measures.items():
        before = after(enhanced.clips, NONE)
        parts = {one: difference(before, after(enhanced.clips, one), name) for one in enhanced.enhancers}
        first, *others = enhanced.printed[name]
        figures = f"{first:.2f} to {', '.join(f'{value:.2f}' for value in others)}"
        text = f"{enhanced.who} {'raises' if rises else 'lowers'} the {told} of {enhanced.of}"
        claim = Claim(text, figures, "", f"{told} of the same clips after and before each enhancer")
        steps = [value - first if rises else first - value for value in others]
        made.append(all_rise(claim, parts, rises=rises, stated=min(steps)))
    return made


def u_nets(noisy: pd.DataFrame, enhancers: list[str]) -> Claim:
    """That they leave noisy speech better than the DNN."""
    claim = "the U-Nets make more of noisy speech than the DNN, by PESQ, STI, STOI and SNR"
    pairs = {name: (DNN, name) for name in enhancers if name != DNN}
    return _by_all_measures(claim, "in all 8 comparisons", noisy, pairs)


def hardened_best(attacked: pd.DataFrame, hardened: list[str]) -> Claim:
    """That of the hardened enhancers the attention U-Net is the best."""
    claim = "of the hardened enhancers the attention U-Net makes the most of adversarial speech, by all four measures"
    pairs = {name: (name, HARDENED_ATTENTION) for name in hardened if name != HARDENED_ATTENTION}
    return _by_all_measures(claim, "in all 8 comparisons", attacked, pairs)


def hardening(attacked: pd.DataFrame, enhancers: dict[str, str]) -> Claim:
    """That adversarial training makes each enhancer better."""
    claim = "adversarial training improves what each enhancer makes of adversarial speech, by all four measures"
    pairs = {name: (name, hardened) for name, hardened in enhancers.items()}
    return _by_all_measures(claim, "in all 12 comparisons", attacked, pairs)


def clean(noisy: pd.DataFrame, enhancers: dict[str, str], recognisers: Sequence[str]) -> Claim:
    """That no enhancer, hardened or not, makes clean speech harder to understand."""
    names = [name for pair in enhancers.items() for name in pair if name]
    parts = {}
    for recogniser in recognisers:
        own = noisy[(noisy.version == "clean") & (noisy.heard_by == recogniser)]
        changes = {name: difference(after(own, NONE), after(own, name), "wer") for name in names}
        parts |= {f"{recogniser}, {name}": change for name, change in changes.items()}
    claim = "no enhancer raises the WER of either recogniser on clean speech"
    return none_higher(claim, "WER on the same clips before and after each enhancer", parts)


def contradictions(made: dict[str, pd.DataFrame]) -> list[Claim]:
    """What the paper says in two ways, so that neither can be tested."""

    def ours(table: str, enhancer: str, measure: str) -> str:
        own = made[table][made[table].enhancer == enhancer][measure]
        return f"{own.iloc[0]:.2f}" if len(own) and np.isfinite(own.iloc[0]) else "not measured"

    return [
        Claim(
            "enhancement brings adversarial speech from STOI .83 to .96, from PESQ 1.13 and from STI .65",
            "its abstract; its Table 3 has .84 to .90, 1.31 and .67",
            f"STOI {ours('table_3', NONE, 'stoi')} to {ours('table_3', HARDENED_ATTENTION, 'stoi')}",
        ),
        Claim(
            "noisy speech has an SNR of -1.63 dB",
            "below every level that it was mixed at, 15 to 0 dB",
            f"{ours('table_1', NONE, 'snr_db')} dB",
        ),
        Claim(
            "adversarial speech has an SNR of -1.52 dB",
            "its Tables 2 and 3; its text has 10.12 dB for all experiments",
            f"{ours('table_2', NONE, 'snr_db')} dB",
        ),
    ]


def _by_all_measures(claim: str, paper: str, clips: pd.DataFrame, pairs: dict[str, tuple[str, str]]) -> Claim:
    """That the second enhancer of each pair leaves clips better than the first."""
    parts = {
        f"{name} {told}": difference(after(clips, first), after(clips, second), measure)
        for name, (first, second) in pairs.items()
        for measure, told in QUALITY.items()
    }
    return all_rise(Claim(claim, paper, "", "the same clips after both, by each measure and pair"), parts)
