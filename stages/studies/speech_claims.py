"""Room of studies: what the text of the speech paper claims, set against what was measured here."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from stages.studies.cells import Cells, mean
from stages.studies.speech_attacks import ATTACKED, ATTACKS, NONE, heard_as, of_smallest
from stages.studies.verdicts import COLUMNS, Claim, difference_of, judged, untested

Made = dict[str, pd.DataFrame]
# Values x with their intervals, by what they are of.
Parts = dict[str, Cells]
OURS = "no figure: a control that it lacks"
HARDENED = "deepspeech_hardened"
ATTENTION = "u_net_attention"
DNN = "dnn"
QUALITY = {"pesq_raw": "PESQ", "sti": "STI", "stoi": "STOI", "snr_db": "SNR"}
ERRORS = {"rosa": "RoSA", "wer": "WER"}
# More differences than these are told by how many there are and how far they go.
LISTED = 4
NO_WIDTH = 1e-9
# What is meant by nine of ten trials.
NEARLY_ALWAYS = 0.9


def claims(made: Made, measured: Any, paper: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: the paper's figure, ours, and whether it holds.

    Differences are those of the same clips (mixtures; or clip, phrase and trial), and of several the claim holds if
    each has its sign. `certain` says whether the 95 % intervals that decide stand clear of no difference, in the sense
    of the verdict: all of them where it holds, else one.
    """
    noisy = _of_mixtures(measured.noisy)
    heard, others = _of_attacks(measured.heard), _of_attacks(measured.transferred)
    files = heard[(heard.version == "file") & (heard.attack == "over_the_air") & (heard.recogniser == ATTACKED)]
    plain, hardened = list(measured.enhancers), [name for name in measured.enhancers.values() if name]
    mixtures = noisy[noisy.version == "noisy"].drop_duplicates(["pair", "enhancer"])
    kinds = {"enhancer": plain, "hardened enhancer": hardened}
    rows = [
        *_moves(mixtures, plain, paper, "table_1", "every enhancer", "noisy speech", QUALITY),
        _unets(mixtures, plain),
        *_moves(files, plain, paper, "table_2", "every enhancer", "adversarial speech", {"snr_db": "SNR"}),
        *_moves(files, plain, paper, "table_2", "every enhancer", "adversarial speech", _less_snr(), rises=False),
        *_moves(files, hardened, paper, "table_3", "every hardened enhancer", "adversarial speech", QUALITY),
        _hardened_best(files, hardened),
        _hardening(files, measured.enhancers),
        *(_always(made["table_attacks"], attack) for attack in ("direct", "carlini_wagner")),
        *(_often(made["table_4"], name) for name in ATTACKS.values()),
    ]
    for attack, name in ATTACKS.items():
        for measure in ERRORS:
            rows += [_lowers(heard, measured, attack, kind, own, measure, paper) for kind, own in kinds.items()]
            rows += [_lowers_most(heard, measured, attack, kind, own, measure) for kind, own in kinds.items()]
            rows += [_recogniser(heard, others, attack, measure, paper, made_on) for made_on in (HARDENED, ATTACKED)]
        rows.append(_by_so_much(heard, measured.enhancers, attack, paper))
        rows += _adaptive(made, measured, name)
    return pd.DataFrame([*rows, *_contradictions(made), *_controls(made, measured, noisy, paper)], columns=COLUMNS)


def _less_snr() -> dict[str, str]:
    return {name: told for name, told in QUALITY.items() if name != "snr_db"}


def _of_mixtures(noisy: pd.DataFrame) -> pd.DataFrame:
    return noisy.assign(pair=noisy.member)


def _of_attacks(heard: pd.DataFrame) -> pd.DataFrame:
    return heard.assign(pair=heard.clip_id + "/" + heard.target + "/" + heard.trial.astype(str))


def _after(rows: pd.DataFrame, enhancer: str) -> pd.DataFrame:
    return rows[rows.enhancer == enhancer]


def _difference(before: pd.DataFrame, after: pd.DataFrame, measure: str) -> Cells:
    """What `after` has more than `before`, in the mean of the pairs of both; of WER, words over the mean number said.

    Where all speakers have the same difference their spread tells nothing, and there is no interval.
    """
    column = {"rosa": "hit", "wer": "errors"}.get(measure, measure)
    pairs = before.merge(after[["pair", column]], on="pair", suffixes=("", "_after"))
    more = pairs[f"{column}_after"] - pairs[column]
    return _with_width(mean(more / pairs.errors_of.mean() if measure == "wer" else more, pairs.cluster, "x"))


def _with_width(value: Cells) -> Cells:
    """Without an interval if it has no width."""
    return value if value["x_high"] - value["x_low"] > NO_WIDTH else value | {"x_low": np.nan, "x_high": np.nan}


def _all(claim: str, paper: str, parts: Parts, *, rises: bool, lacking: str = "not measured") -> Claim:
    """A claim that every part is positive, or negative; those that could not be measured are left out."""
    known = {name: part for name, part in parts.items() if np.isfinite(part["x"])}
    if not known:
        return untested(claim, paper, lacking)
    values, lows, highs = (np.array([part[end] for part in known.values()]) for end in ("x", "x_low", "x_high"))
    as_claimed = values > 0 if rises else values < 0
    if len(known) <= LISTED:
        here = "; ".join(f"{name} {value:+.3f}" for name, value in zip(known, values))
    else:
        here = f"{as_claimed.sum()} of {len(known)}; {values.min():+.3f} to {values.max():+.3f}"
    above, below = lows > 0, highs < 0
    if as_claimed.all():
        return judged(claim, paper, here, True, bool((above if rises else below).all()))
    return judged(claim, paper, here, False, bool((below if rises else above).any()))


def _moves(
    rows: pd.DataFrame,
    enhancers: list[str],
    paper: pd.DataFrame,
    table: str,
    who: str,
    of: str,
    measures: dict[str, str],
    rises: bool = True,
) -> list[Claim]:
    """Each measure for itself: every enhancer raises it, or lowers it."""
    made = []
    for name, told in measures.items():
        parts = {one: _difference(_after(rows, ""), _after(rows, one), name) for one in enhancers}
        values = paper[paper.table == table][name]
        figures = f"{values.iloc[0]:.2f} to {', '.join(f'{value:.2f}' for value in values.iloc[1:])}"
        made.append(_all(f"{who} {'raises' if rises else 'lowers'} the {told} of {of}", figures, parts, rises=rises))
    return made


def _unets(rows: pd.DataFrame, enhancers: list[str]) -> Claim:
    claim = "the U-Nets make more of noisy speech than the DNN, by PESQ, STI, STOI and SNR"
    others = [name for name in enhancers if name != DNN]
    parts = {
        f"{name} {told}": _difference(_after(rows, DNN), _after(rows, name), measure)
        for name in others
        for measure, told in QUALITY.items()
    }
    return _all(claim, "in all 8 comparisons", parts, rises=True)


def _hardened_best(rows: pd.DataFrame, enhancers: list[str]) -> Claim:
    claim = "of the hardened enhancers the attention U-Net makes the most of adversarial speech, by all four measures"
    best = f"{ATTENTION}_hardened"
    parts = {
        f"{name} {told}": _difference(_after(rows, name), _after(rows, best), measure)
        for name in enhancers
        if name != best
        for measure, told in QUALITY.items()
    }
    return _all(claim, "in all 8 comparisons", parts, rises=True)


def _hardening(rows: pd.DataFrame, enhancers: dict[str, str]) -> Claim:
    claim = "adversarial training improves what each enhancer makes of adversarial speech, by all four measures"
    parts = {
        f"{name} {told}": _difference(_after(rows, name), _after(rows, hardened), measure)
        for name, hardened in enhancers.items()
        for measure, told in QUALITY.items()
    }
    return _all(claim, "in all 12 comparisons", parts, rises=True)


def _always(attacks: pd.DataFrame, attack: str) -> Claim:
    told = {"direct": "the attack that is not played", "carlini_wagner": "Carlini and Wagner's attack"}[attack]
    claim, paper = f"{told} always succeeds on the undefended recogniser", "100 %, cited"
    own = attacks[(attacks.attack == attack) & (attacks.recogniser == ATTACKED) & (attacks.enhancer == NONE)]
    if own.empty:
        return untested(claim, paper)
    row = own.iloc[0]
    holds = bool(row.success == 1)
    # No number of successes proves that there is never a failure; one failure is a proof that there is.
    return judged(claim, paper, f"{100 * row.success:.0f} % of {row.n}", holds, None if holds else True)


def _often(table: pd.DataFrame, name: str) -> Claim:
    claim = f"the {name} attack succeeds over the air in {100 * NEARLY_ALWAYS:.0f} % of trials and more, undefended"
    own = table[(table.attack == name) & (table.recogniser == ATTACKED) & (table.enhancer == NONE)]
    paper = " and ".join(f"{100 * value:.2f} %" for value in own.rosa_paper.dropna())
    if own.rosa.isna().all():
        return untested(claim, paper)
    row = own.iloc[0]
    holds = bool(row.rosa >= NEARLY_ALWAYS)
    certain = row.rosa_low >= NEARLY_ALWAYS if holds else row.rosa_high < NEARLY_ALWAYS
    return judged(claim, paper, f"{100 * row.rosa:.2f} % of {row.n}", holds, bool(certain))


def _percents(paper: pd.DataFrame, attack: str, measure: str) -> str:
    """The paper's row of Table 4 of each recogniser."""
    own = paper[(paper.table == "table_4") & (paper.attack == ATTACKS[attack])]
    rows = [list(100 * one[measure]) for _, one in own.groupby("recogniser", sort=False)]
    return "; ".join(f"{row[0]:.2f} % to {', '.join(f'{value:.2f}' for value in row[1:])} %" for row in rows)


def _played(heard: pd.DataFrame, attack: str, recogniser: str, enhancer: str = "") -> pd.DataFrame:
    return heard_as(heard, attack, recogniser, enhancer, "played")


def _attackable(heard: pd.DataFrame, recognisers: Iterable[str], attack: str, measure: str) -> list[str]:
    """The recognisers whose RoSA can fall at all: where no trial succeeds, nothing can lower it."""
    return [one for one in recognisers if measure == "wer" or _played(heard, attack, one).hit.any()]


def _lacking(fallen: list[str]) -> str:
    return "not measured" if fallen else "no trial succeeds undefended"


def _lowers(
    heard: pd.DataFrame, measured: Any, attack: str, kind: str, enhancers: list[str], measure: str, paper: pd.DataFrame
) -> Claim:
    claim = f"under the {ATTACKS[attack]} attack every {kind} lowers the {ERRORS[measure]} of both recognisers"
    fallen = _attackable(heard, measured.recognisers, attack, measure)
    parts = {
        f"{recogniser}, {enhancer}": _difference(
            _played(heard, attack, recogniser), _played(heard, attack, recogniser, enhancer), measure
        )
        for recogniser in fallen
        for enhancer in enhancers
    }
    return _all(claim, _percents(paper, attack, measure), parts, rises=False, lacking=_lacking(fallen))


def _lowers_most(
    heard: pd.DataFrame, measured: Any, attack: str, kind: str, enhancers: list[str], measure: str
) -> Claim:
    claim = f"under the {ATTACKS[attack]} attack no {kind} lowers the {ERRORS[measure]} as far as the attention U-Net"
    best = next((name for name in enhancers if name.startswith(ATTENTION)), "")
    fallen = _attackable(heard, measured.recognisers, attack, measure)
    parts = {
        f"{recogniser}, {enhancer}": _difference(
            _played(heard, attack, recogniser, enhancer), _played(heard, attack, recogniser, best), measure
        )
        for recogniser in fallen
        for enhancer in enhancers
        if enhancer != best
    }
    paper = "in all 4 comparisons"
    return _all(claim, paper, parts if best else {}, rises=False, lacking=_lacking(fallen))


def _recogniser(
    heard: pd.DataFrame, others: pd.DataFrame, attack: str, measure: str, paper: pd.DataFrame, made_on: str
) -> Claim:
    """The hardened recogniser beside the undefended one, each under its own attack or both under the latter's."""
    whose = "attack, made anew" if made_on == HARDENED else "attack, made on the undefended one"
    claim = f"adversarial training of the recogniser lowers its {ERRORS[measure]} under the {ATTACKS[attack]} {whose}"
    own = paper[(paper.table == "table_4") & (paper.attack == ATTACKS[attack]) & (paper.enhancer == NONE)]
    figures = " to ".join(f"{100 * value:.2f} %" for value in own[measure])
    fallen = _attackable(heard, [ATTACKED], attack, measure)
    after = heard if made_on == HARDENED else others[others.victim == made_on]
    parts = {one: _difference(_played(heard, attack, one), _played(after, attack, HARDENED), measure) for one in fallen}
    return _all(claim, figures, parts, rises=False, lacking=_lacking(fallen))


def _by_so_much(heard: pd.DataFrame, enhancers: dict[str, str], attack: str, paper: pd.DataFrame) -> Claim:
    """The abstract's 2.22 and 2.03 points, which are those of the hardened recogniser in its Table 4."""
    own = paper[(paper.table == "table_4") & (paper.attack == ATTACKS[attack]) & (paper.recogniser == HARDENED)]
    printed = dict(zip(own.enhancer, own.wer))
    points = printed[NONE] - printed[ATTENTION]
    claim = (
        f"before the hardened recogniser the hardened attention U-Net lowers the WER under the {ATTACKS[attack]} attack "
        f"by {100 * points:.2f} points at least"
    )
    base = _played(heard, attack, HARDENED)
    less = _difference(_played(heard, attack, HARDENED, enhancers.get(ATTENTION, "") or ATTENTION), base, "wer")
    figures = f"{100 * printed[NONE]:.2f} % to {100 * printed[ATTENTION]:.2f} %"
    here = f"{100 * less['x']:+.2f} points lower"
    return difference_of(claim, figures, here, *(less[end] - points for end in ("x", "x_low", "x_high")))


def _adaptive(made: Made, measured: Any, name: str) -> list[Claim]:
    """What an attacker has to do who knows of the hardened attention U-Net, beside who attacks without it."""
    claims = (
        f"an attacker who knows of the hardened attention U-Net has to be louder ({name} attack)",
        f"and louder by as many dB as in the paper ({name} attack)",
    )
    table = made["table_magnitude"]
    rows = table[(table.attack == name) & (table.recogniser == ATTACKED)].set_index("enhancer")
    groups = {tuple(where.values()): own for where, own in of_smallest(measured.attacked)}
    behind = f"{ATTENTION}_hardened"
    if not {NONE, behind} <= set(rows.index):
        return [untested(claim, "7.63 to -2.23 dB (gradient), 7.82 to -3.21 (evolutionary)") for claim in claims]
    own = groups[name, ATTACKED, behind]
    louder, pairs = _louder(groups[name, ATTACKED, NONE], own)
    needed = [_or_never(rows.snr_needed_db[one]) for one in (NONE, behind)]
    here = (
        f"for all clips {' to '.join(needed)}; on the same clip {louder['x']:+.2f} dB louder ({pairs} clips; failures "
        f"behind it, {(~own.success).sum()} of {len(own)}, as if at {own.loudest_db.iloc[0]:g} dB)"
    )
    printed = [rows.snr_needed_db_paper[one] for one in (NONE, behind)]
    paper = "{:.2f} to {:.2f} dB, for all clips".format(*printed)
    step = printed[0] - printed[1]
    ends = [louder[end] for end in ("x", "x_low", "x_high")]
    return [
        difference_of(claims[0], paper, here, *ends),
        difference_of(claims[1], f"{step:.2f} dB", here, *(end - step for end in ends)),
    ]


def _louder(without: pd.DataFrame, behind: pd.DataFrame) -> tuple[Cells, int]:
    """By how many dB, on clips that fell without an enhancer; those that did not fall behind it are as if at the loudest.

    So it is the least that the attacker needs. Beside it how many clips that are.
    """
    reached = behind.assign(snr_db_audio=behind.snr_db_audio.where(behind.success, behind.loudest_db))
    same = ["clip_id", "target"]
    pairs = without[without.success].merge(reached[[*same, "snr_db_audio"]], on=same, suffixes=("", "_behind"))
    return _with_width(mean(pairs.snr_db_audio - pairs.snr_db_audio_behind, pairs.cluster, "x")), len(pairs)


def _or_never(value: float) -> str:
    return f"{value:.2f} dB" if np.isfinite(value) else "never"


def _contradictions(made: Made) -> list[Claim]:
    """What the paper says in two ways, so that neither can be tested."""

    def ours(table: str, enhancer: str, measure: str) -> str:
        own = made[table][made[table].enhancer == enhancer][measure]
        return f"{own.iloc[0]:.2f}" if len(own) and np.isfinite(own.iloc[0]) else "not measured"

    hardened = f"{ATTENTION}_hardened"
    texts = [
        (
            "enhancement brings adversarial speech from STOI .83 to .96, from PESQ 1.13 and from STI .65",
            "its abstract; its Table 3 has .84 to .90, 1.31 and .67",
            f"STOI {ours('table_3', NONE, 'stoi')} to {ours('table_3', hardened, 'stoi')}",
        ),
        (
            "noisy speech has an SNR of -1.63 dB",
            "below every level that it was mixed at, 15 to 0 dB",
            f"{ours('table_1', NONE, 'snr_db')} dB",
        ),
        (
            "adversarial speech has an SNR of -1.52 dB",
            "its Tables 2 and 3; its text has 10.12 dB for all experiments",
            f"{ours('table_2', NONE, 'snr_db')} dB",
        ),
    ]
    return [untested(*text) for text in texts]


def _controls(made: Made, measured: Any, noisy: pd.DataFrame, paper: pd.DataFrame) -> list[Claim]:
    return [
        _noise(made["table_attacks"]),
        *_spoken(measured.attacked, paper),
        _by_chance(noisy, set(measured.attacked.target)),
        *(_clean(noisy, measured.enhancers, recogniser) for recogniser in measured.recognisers),
        _hardened_on_clean(measured.decisions),
    ]


def _noise(attacks: pd.DataFrame) -> Claim:
    claim = "noise as loud as the attacks is never transcribed as the phrase, be it played or not"
    own = attacks[attacks.attack == "noise"]
    rates = pd.concat([own.success, own.rosa]).dropna()
    if rates.empty:
        return untested(claim, OURS)
    here = f"RoSA {_percent(own.rosa.max())}, of files {_percent(own.success.max())}; {own.n.sum()} clips"
    return judged(claim, OURS, here, bool((rates == 0).all()))


def _spoken(attacked: pd.DataFrame, paper: pd.DataFrame) -> list[Claim]:
    """What the attacks' loudness is worth: the phrase just spoken over the clip, as quiet as it is still heard."""
    behind = f"{ATTENTION}_hardened"
    own = paper[(paper.table == "figure_3") & (paper.attack == "gradient") & (paper.enhancer == behind)]
    needed_db = own.snr_needed_db.iloc[0]
    claims = (
        "the phrase spoken over the clip has to be louder than the gradient attack to be transcribed",
        f"spoken at the {needed_db:.2f} dB of the paper's attack behind the attention U-Net, the phrase is transcribed there",
    )
    groups = {tuple(where.values()): rows for where, rows in of_smallest(attacked)}
    attack, spoken, enhanced = (
        groups.get(key, attacked.head(0))
        for key in (("gradient", ATTACKED, NONE), ("spoken", ATTACKED, NONE), ("spoken", ATTACKED, behind))
    )
    if attack.empty or spoken.empty or enhanced.empty:
        return [untested(claim, OURS) for claim in claims]
    louder, pairs = _louder(attack, spoken)
    here = (
        f"{louder['x']:+.2f} dB louder on the same clip ({pairs} clips; not transcribed even at "
        f"{spoken.loudest_db.iloc[0]:g} dB, and as if at it, {(~spoken.success).sum()})"
    )
    heard = [(one.success & (one.snr_db_audio >= needed_db)).sum() for one in (enhanced, spoken)]
    told = f"{heard[0]} of {len(enhanced)} clips; without the U-Net {heard[1]} of {len(spoken)}"
    return [
        difference_of(claims[0], OURS, here, *(louder[end] for end in ("x", "x_low", "x_high"))),
        judged(claims[1], OURS, told, bool(heard[0] == len(enhanced))),
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if np.isfinite(value) else "not measured"


def _by_chance(noisy: pd.DataFrame, targets: set[str]) -> Claim:
    claim = "speech that nobody attacked is never transcribed as a phrase that is injected, with or without noise"
    own = noisy[~noisy.text.isin(targets)]
    if own.empty:
        return untested(claim, OURS)
    hits = own.transcript.isin(targets)
    return judged(claim, OURS, f"{hits.sum()} of {len(own)} transcripts", not hits.any())


def _clean(noisy: pd.DataFrame, enhancers: dict[str, str], recogniser: str) -> Claim:
    claim = f"no enhancer raises the WER of {recogniser} on clean speech"
    own = noisy[(noisy.version == "clean") & (noisy.recogniser == recogniser)]
    names = [name for pair in enhancers.items() for name in pair if name]
    return _none_higher(claim, {name: _difference(_after(own, ""), _after(own, name), "wer") for name in names})


def _hardened_on_clean(decisions: pd.DataFrame) -> Claim:
    claim = "adversarial training of the recogniser does not raise its WER on clean speech"
    own = decisions.assign(pair=decisions.key)
    both = (own[own.recogniser == name] for name in (ATTACKED, HARDENED))
    return _none_higher(claim, {"difference": _difference(*both, "wer")})


def _none_higher(claim: str, parts: Parts) -> Claim:
    known = {name: part for name, part in parts.items() if np.isfinite(part["x"])}
    if not known:
        return untested(claim, OURS)
    # A difference of sums of the same errors may miss zero by a rounding.
    higher = {name: part for name, part in known.items() if part["x"] > 1e-9}
    values = [part["x"] for part in known.values()]
    here = f"{len(higher)} of {len(known)} higher; {min(values):+.3f} to {max(values):+.3f}"
    if higher:
        return judged(claim, OURS, here, False, any(part["x_low"] > 0 for part in higher.values()))
    return judged(claim, OURS, here, True, all(part["x_high"] <= 1e-9 for part in known.values()))
