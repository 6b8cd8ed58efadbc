"""What the speech study tells of the paper's claims, and of what was not measured."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from speech_corpus import TEXT, verdict

from stages.reporting.verdicts import UNTESTABLE
from stages.studies.speech import figures
from stages.studies.speech import tables as speech
from stages.studies.speech.claims import claims
from stages.studies.speech.heard import prepared
from stages.studies.speech.measured import Measured


def test_two_speakers_decide_nothing(made):
    claims = made["claims"]
    assert set(claims.verdict) == {"undecided", UNTESTABLE} and set(claims.n.dropna()) == {2}
    told = verdict(made, "every enhancer raises the PESQ of noisy speech")
    assert told.paper == "1.97 to 2.62, 2.86, 2.88"
    assert told.here == "dnn +0.500; wave_u_net +0.600; u_net_attention +0.700"
    assert told.test.startswith("PESQ of the same clips after and before each enhancer; ")
    assert (told.difference, told.unit) == (0.5, "speakers")
    # Its three clips fell at 16, 12 and 14 dB more, the fourth can't at 40 dB more.
    louder = verdict(made, "has to be louder (gradient attack)")
    assert "for all clips 12.00 dB to never; on the same clip +20.50 dB louder (4 clips" in louder.here
    assert louder.paper == "7.63 to -2.23 dB, for all clips" and "Wilcoxon's signed ranks" in louder.test
    # Spoken, the clips need 12, 6 and 9 dB more than the attack, the fourth 40 dB at least.
    spoken = verdict(made, "the phrase spoken over the clip has to be louder than the gradient attack")
    assert spoken.here[:44] == "+16.75 dB louder on the same clip (4 clips; "
    spoken = verdict(made, "spoken at the -2.23 dB of the paper's attack")
    assert (spoken.here, spoken.difference) == ("2 of 4 clips; without the U-Net 3 of 4", -0.4)
    # Rates that are zero before can't fall: of the hardened recogniser nothing is told.
    under = verdict(made, "under the gradient attack every enhancer, hardened or not, lowers the RoSA")
    assert under.here == "5 of 5; -0.875 to -0.375"
    assert "90.23 % to 84.86, 83.43, 83.11 %; 27.34 % to 22.21" in under.paper


def test_twelve_speakers_decide_what_differs(measured, made):
    def copied(table: pd.DataFrame) -> pd.DataFrame:
        names = [name for name in ("clip_id", "source", "key", "speaker", "cluster") if name in table]
        copies = [table.assign(**{name: table[name] + f"-{n}" for name in names}) for n in range(6)]
        return pd.concat(copies, ignore_index=True)

    tables = ("decisions", "attacked", "noisy", "heard", "transferred")
    many = replace(measured, **{name: copied(getattr(measured, name)) for name in tables})
    told = {"claims": claims(made, many, speech.printed_tables())}
    known = {
        "every enhancer raises the PESQ of noisy speech": "supported",
        "every enhancer raises the SNR of noisy speech": "supported",
        "the U-Nets make more": "supported",
        "every enhancer raises the SNR of adversarial speech": "supported",
        "every enhancer lowers the STOI of adversarial speech": "contradicted",
        "every hardened enhancer raises the STI": "supported",
        "of the hardened enhancers": "supported",
        "adversarial training improves": "supported",
        "Carlini and Wagner's": UNTESTABLE,
        "the gradient attack succeeds over the air": "undecided",  # 7 of 8
        "the evolutionary attack succeeds over the air": "contradicted",
        "under the gradient attack every enhancer, hardened or not, lowers the RoSA": "supported",
        "under the gradient attack every enhancer, hardened or not, lowers the WER": "undecided",  # one: as before
        "under the gradient attack no enhancer lowers RoSA and WER": "undecided",  # the WER is that of the others
        "under the evolutionary attack every enhancer, hardened or not, lowers the RoSA": "supported",
        "recogniser lowers its RoSA under the gradient attack, made anew": "supported",
        "recogniser lowers its RoSA under the gradient attack, made on the undefended one": "supported",
        "under the gradient attack by 2.22 points": "supported",  # 25 points
        "has to be louder (gradient attack)": "supported",
        "has to be louder (evolutionary attack)": "supported",
        "spoken at the -2.23 dB": "contradicted",
        "more often than noise as loud": "supported",
        "no enhancer raises the WER of either recogniser on clean": "contradicted",
        "recogniser does not raise its WER on clean": "supported",
        "from STOI .83": UNTESTABLE,
        "an SNR of -1.63 dB": UNTESTABLE,
        "an SNR of -1.52 dB": UNTESTABLE,
    }
    assert {part: verdict(told, part).verdict for part in known} == known
    raised = verdict(told, "every enhancer raises the PESQ of noisy speech")
    assert (raised.n, raised.p) == (12, float(f"{2 / 2**12:.2g}"))


def test_pairs_are_of_the_same_clip_phrase_and_trial(measured, made):
    """Rows in another order, and a clip that only one side has, change no difference."""
    heard = measured.heard
    less = heard[~((heard.clip_id == "test-3") & (heard.treatment == "dnn"))].iloc[::-1].reset_index(drop=True)
    fewer = speech.tables(replace(measured, heard=less))
    told = verdict(fewer, "under the gradient attack every enhancer, hardened or not, lowers the RoSA").here
    # Without test-3 six of six before, three (clips 0 to 2) after the DNN, which lowers it the least.
    assert told.endswith(" to -0.500")
    assert (
        "to -0.375" in verdict(made, "under the gradient attack every enhancer, hardened or not, lowers the RoSA").here
    )


def without(measured: Measured, name: str) -> Measured:
    """Where something was not made, or nothing came of it."""
    heard, attacked, noisy = measured.heard, measured.attacked, measured.noisy
    failed = attacked.assign(adversarial_prediction=TEXT, success=False)
    return {
        "nothing succeeds": lambda: replace(
            measured,
            attacked=prepared(failed, "adversarial_prediction"),
            heard=prepared(heard.assign(decision=TEXT), "decision"),
        ),
        "nothing is heard": lambda: replace(measured, heard=heard.head(0)),
        "nothing is attacked": lambda: replace(measured, attacked=attacked.head(0), heard=heard.head(0)),
        "no mixture": lambda: replace(measured, noisy=noisy.head(0)),
        "one clip": lambda: replace(measured, heard=heard[heard.clip_id == "test-0"]),
        "no enhancer": lambda: replace(
            measured, heard=heard[heard.treatment == "none"], noisy=noisy[noisy.treatment == "none"]
        ),
        "one recogniser": lambda: replace(measured, recognisers=["deepspeech"], enhancers={"dnn": "", "mine": ""}),
    }[name]()


NAMES = ["nothing succeeds", "nothing is heard", "nothing is attacked", "no mixture", "one clip", "no enhancer"]


@pytest.mark.parametrize("name", [*NAMES, "one recogniser"])
def test_what_was_not_measured_leaves_cells_empty_and_claims_untested(measured, made, tmp_path, place, name):
    part = without(measured, name)
    smaller = speech.tables(part)
    assert all(chart.to_dict() for chart in figures.charts(smaller, part).values())
    figures.draw(smaller, part, tmp_path)
    assert (tmp_path / "figure_2.png").is_file()
    assert all(math.isfinite(value) for value in speech.metrics(smaller).values())
    if name != "one recogniser":
        assert smaller["claims"].claim.tolist() == made["claims"].claim.tolist()
    untested = set(smaller["claims"].query("verdict == @UNTESTABLE").claim)
    expected = {
        "nothing succeeds": "under the gradient attack every enhancer, hardened or not, lowers the RoSA of both "
        "recognisers",
        "nothing is heard": "every enhancer raises the SNR of adversarial speech",
        "nothing is attacked": "the gradient attack succeeds over the air in 90 % of trials and more, undefended",
        "no mixture": "every enhancer raises the PESQ of noisy speech",
        "no enhancer": "the U-Nets make more of noisy speech than the DNN, by PESQ, STI, STOI and SNR",
        "one recogniser": "of the hardened enhancers the attention U-Net makes the most of adversarial speech, by all "
        "four measures",
    }
    assert name not in expected or expected[name] in untested
    if name == "nothing succeeds":
        assert smaller["table_4"].rosa.eq(0).all()
        assert smaller["table_attacks"].success.eq(0).all()
        assert smaller["table_magnitude"].snr_needed_db.isna().all()
        assert verdict(smaller, "more often than noise as loud").difference == 0
    if name == "one recogniser":
        # Nothing was trained further, so that nothing can be told of it.
        assert verdict(smaller, "adversarial training improves").verdict == UNTESTABLE
    if name == "one clip":
        assert verdict(smaller, "every enhancer raises the SNR of adversarial speech").verdict == "undecided"
