"""What the audio-visual study tells of the paper's claims, and of what was not measured."""

from dataclasses import replace

import drawn
import numpy as np
import pandas as pd
import pytest
from audiovisual_corpus import DETECTORS, TARGETS, verdicts

from stages.reporting.verdicts import UNTESTABLE
from stages.studies.audiovisual import detection, figures
from stages.studies.audiovisual import tables as audiovisual
from stages.studies.audiovisual.claims import claims


@pytest.fixture(scope="module")
def many(measured):
    """The same clips of sixteen speakers in the place of two."""
    own = measured.detections
    copies = [own.assign(clip_id=own.clip_id + f"-{n}", speaker=own.speaker + str(n)) for n in range(8)]
    return replace(measured, detections=pd.concat(copies, ignore_index=True))


def test_two_speakers_decide_nothing(made):
    claims = made["claims"]
    assert claims.claim.is_unique
    assert claims.verdict.tolist() == ["undecided"] * 23 + [UNTESTABLE]
    assert set(claims.n[:23]) == {2} and set(claims.unit[:23]) == {"speakers"}
    grows = verdicts(made, "easier words attacked by FGSM")
    assert (grows.difference, grows.here) == (round(15 / 64, 4), "1.00 against 0.77")
    assert grows.test == "AUCs of the same words; bootstrap over 2 speakers, two-sided"
    assert verdicts(made, "under every attack").here == "AUC 0.56 to 1.00 over 9 attacks"
    assert verdicts(made, "BIM fools more words than FGSM").here == "at 3 of 3 pairs; mean 0.00 against 0.25"
    better = verdicts(made, "trained on clean clips detects attacks better")
    assert better.here.startswith("in 0 of 10 attacks")


def test_sixteen_speakers_decide_what_differs(many):
    made = audiovisual.tables(many)
    known = {
        "under every attack": "supported",
        "easier words attacked by FGSM": "supported",
        "easier words attacked by BIM": "supported",
        "brings the accuracy of words below 40 %": "undecided",  # 25 % at each epsilon
        "BIM fools more words than FGSM": "supported",
        "BIM's perturbation of the video is smaller": "undecided",
        "BIM is harder to detect": "supported",
        "to nearly nothing": "undecided",  # none of sixteen speakers' words is no proof of under 5 %
        "nearly always at the largest": "undecided",
        "wholly succeeds less often": "supported",
        "wholly are easier to detect": "supported",
        "wholly change the video more": "undecided",
        "wholly are louder": "undecided",
        "often an attack succeeds depends on the target": "supported",
        "attacks are detected hardly depends": "supported",
        "trained on clean clips takes attacked clips for less in time than clips under equally loud noise": "undecided",
        "trained on clean clips detects attacks better": "contradicted",
        "trained with noise detects attacks better": "contradicted",
        "can't be seen": UNTESTABLE,
    }
    assert {part: verdicts(made, part).verdict for part in known} == known
    fools = verdicts(made, "BIM fools more words than FGSM")
    assert (fools.difference, fools.n, fools.p) == (0.25, 16, float(f"{2 / 2**16:.2g}"))


def test_what_is_zero_for_both_is_no_evidence(measured, made):
    """Where FGSM leaves no word either, BIM does not fool more; where BIM leaves some, it fools fewer."""
    own = measured.detections
    is_fgsm = (own.corpus == "words") & (own.attack == "fgsm")
    none = own.assign(decision=own.decision.mask(is_fgsm, "MONEY"))

    def judged(detections: pd.DataFrame) -> dict:
        prepared = detection.prepared(detections, DETECTORS)
        table = detection.words(prepared[prepared.corpus == "words"], audiovisual.printed_tables())
        return {"claims": claims(made | {"table_1": table}, prepared, [])}

    untold = judged(none)
    assert verdicts(untold, "BIM fools more words than FGSM").verdict == UNTESTABLE
    # Where nothing is left nothing could fall further.
    assert verdicts(untold, "brings the accuracy of words below 40 %").difference == 0.4  # all are wrong, not 60 %
    left = (own.corpus == "words") & (own.attack == "basic_iterative") & (own.clip_id == "test-0")
    some = verdicts(judged(none.assign(decision=none.decision.mask(left, "ABOUT"))), "BIM fools more words than FGSM")
    assert (some.here, some.difference) == ("at 0 of 3 pairs; mean 0.12 against 0.00", -0.125)


def test_headline_numbers_are_those_of_words_at_the_largest_epsilon(made):
    attacked = 100 * made["table_1"].query("attack == 'fgsm'").accuracy.iloc[0]
    assert audiovisual.metrics(made) == {"clean_percent": 87.5, "attacked_percent": attacked, "detection_auc": 1}


def parts() -> dict:
    """What may be missing, as a choice of rows of the detections."""
    return {
        "no sentences": lambda own: own.corpus == "words",
        "no words": lambda own: own.corpus == "sentences",
        "no validation clips": lambda own: own.split == "test",
        "no test clips": lambda own: own.split == "validation",
        "no success": lambda own: (own.version == "benign") | (own.corpus == "words") | own.reached_never,
        "one epsilon": lambda own: own.epsilon.isin(["0.0", "256/4", "512/4"]),
        "one target": lambda own: own.target.isin(["", TARGETS[0]]),
        "one clip": lambda own: own.clip_id == "test-0",
        "no attacks": lambda own: own.version == "benign",
        "no controls": lambda own: own.version.isin(["benign", "adversarial"]),
        "one run": lambda own: own.attack != "full",
    }


@pytest.mark.parametrize("name", parts())
def test_what_was_not_measured_leaves_tables_smaller_and_claims_untested(measured, made, tmp_path, place, name):
    own = measured.detections
    own = own.assign(reached_never=own.target.eq(TARGETS[1]) & own.epsilon.eq("512/4"))
    part = replace(measured, detections=own[parts()[name](own)], detectors=["sync_clean", "quietest_moment"])
    smaller = audiovisual.tables(part)
    if name in ("no words", "no test clips", "no attacks", "one epsilon"):
        drawn.stems(figures, smaller, part, tmp_path / "pictures")
        figures.draw(smaller, part, tmp_path)
        assert (tmp_path / "figure_2.png").is_file()
    assert not any(np.isnan(value) for value in audiovisual.metrics(smaller).values())
    assert smaller["claims"].claim.tolist() == made["claims"].claim.tolist()
    untested = smaller["claims"].query("verdict == 'not testable here'").claim
    expected = {
        "no sentences": "sentences are made into targets",
        "no words": "BIM fools more words",
        "no test clips": "under every attack",
        "no success": "wholly are easier to detect",
        "one epsilon": "the larger epsilon, the easier words attacked by FGSM",
        "one target": "often an attack succeeds depends",
        "no attacks": "under every attack",
        "no controls": "than clips under another clip's",
        "one run": "wholly succeeds less often",
    }
    assert name not in expected or any(expected[name] in claim for claim in untested)
    for table in ("table_1", "table_2", "table_3", "table_4", "table_controls", "table_benign", "table_epsilon"):
        assert set(smaller[table]) <= set(made[table])
    if name == "no validation clips":
        assert smaller["table_1"].f1.isna().all()
        assert smaller["table_1"].auc.tolist()[1:] == made["table_1"].auc.tolist()[1:]
    if name == "no success":
        assert smaller["table_2"].success.tolist() == [0]
        assert smaller["table_2"].auc_all.notna().all()


def test_a_detector_that_was_not_asked_leaves_its_cells_empty(measured):
    asked = replace(measured, detections=measured.detections.drop(columns="sync_noise"), detectors=["sync_clean"])
    made = audiovisual.tables(asked)
    assert made["table_1"].auc_noise_trained.isna().all()
    assert set(made["table_controls"].detector) == {"sync_clean"}
    assert verdicts(made, "trained with noise detects attacks better").verdict == UNTESTABLE
    # Of one corpus alone: what joined tables lack is NaN.
    own = measured.detections
    half = own.assign(sync_noise=own.sync_noise.where(own.corpus == "words"))
    table = audiovisual.tables(replace(measured, detections=half))["table_controls"]
    of_noise = table[table.detector == "sync_noise"].groupby("corpus").auc_adversarial
    assert of_noise.count().to_dict() == {"words": 6, "sentences": 0}
