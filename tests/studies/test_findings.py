"""What studies say that they found: numbers are the tables', and words follow the intervals."""

import math

import pandas as pd
import pytest

from stages.studies.audiovisual import findings as audiovisual
from stages.studies.audit import findings as audit
from stages.studies.emotion import findings as emotion
from stages.studies.events import findings as events
from stages.studies.speech import findings as speech
from stages.studies.transfer import findings as transfer

NAN = math.nan


def table(**columns):
    """A table of columns; a value of three is one with its interval."""
    made = {}
    for name, values in columns.items():
        if isinstance(values[0], tuple):
            made |= {f"{name}{end}": list(own) for end, own in zip(("", "_low", "_high"), zip(*values))}
        else:
            made[name] = values
    return pd.DataFrame(made)


def of_events(best):
    treated = table(treatment=["none", "a", "b"], GT=[(0, 0, 1), best, (20, 10, 30)], Adv=[(100, 9, 9)] * 3)
    return {
        "table_3": treated.assign(GT_paper=[NAN, best[0], 40]),
        "table_2": table(treatment=["none", "a", "b"], GT=[(100, 90, 100), (90, 80, 95), (50, 40, 60)]),
        "table_attacks": table(fooled=[3, 4], attacked=[5, 6]),
        "table_5": table(attack=["x", "y"], snr_db=[(30, 20, 40), (50, 45, 55)]).assign(snr_db_paper=[NAN, 60]),
    }


def test_events_are_told_by_the_best_and_the_weakest_treatment():
    told = events.findings(of_events((80, 70, 90)))
    assert told[0] == (
        "Mostly not: the best treatment, a, brings 80 % (70 to 90) of the adversarial clips back to their class, "
        "the paper 80 %."
    )
    assert told[1].startswith("The weakest, b, brings back 20 % (10 to 30), the paper 40 %, and 100 % (9 to 9) stay")
    assert told[2].startswith("Of 2 treatments 1 bring")
    assert told[3] == "Of the clean clips a keeps 90 % (80 to 95), b only 50 % (40 to 60)."
    assert told[4].startswith("7 of 11 attacked clips fell") and "50 dB (45 to 55) by y, the paper 60 dB" in told[4]


@pytest.mark.parametrize(("best", "begins"), [((60, 45, 75), "Half of them do"), ((40, 30, 49), "Mostly, as far")])
def test_events_answer_by_the_interval(best, begins):
    assert events.findings(of_events(best))[0].startswith(begins)


def test_where_no_event_is_fooled_that_is_said():
    made = of_events((80, 70, 90)) | {"table_3": of_events((1, 1, 1))["table_3"].head(0)}
    assert events.findings(made)[0] == "That can't be told: no attack fooled a victim."


def of_emotion(fgsm):
    robust = table(
        network=["n", "n"],
        regime=["single", "similarity"],
        uar_real=[(0.9, 0.8, 1), (0.8, 0.7, 0.9)],
        uar_fgsm=[(0.1, 0, 0.2), fgsm],
    ).assign(split="test", epsilon=0.08, holds_fgsm=["no", "yes"], falls_to_bim=["no", "yes"])
    inverted = table(
        attack=["none", "fgsm", "bim"], network=["n"] * 3, still_fools=[(NAN,) * 3, (1, 0.5, 1), (0.5, 0, 1)]
    )
    return {"table_robustness": robust, "table_inversion": inverted.assign(epsilon=[0, 0.08, 0.08], n=[NAN, 3, 4])}


@pytest.mark.parametrize(
    ("fgsm", "begins"),
    [
        (
            (0.5, 0.4, 0.6),
            "Partly: trained by similarity, n keeps a UAR of 50 % (40 to 60) under FGSM at epsilon 0.08, ",
        ),
        ((0.2, 0.15, 0.3), "Not that it could be shown"),
        ((0.85, 0.8, 0.95), "Yes"),
    ],
)
def test_emotion_answers_by_the_interval(fgsm, begins):
    told = emotion.findings(of_emotion(fgsm))
    assert told[0].startswith(begins) and "where it keeps 10 % (0 to 20) untrained" in told[0]
    assert told[1].startswith("Of 2 models and epsilons 1 hold") and "1 of these fall" in told[1]
    assert told[2].startswith("On real data 0 of 1 trained")
    assert "BIM at epsilon 0.08 on n, in 50 % (0 to 100) of 4." in told[3]


def of_transfer(improvement):
    return {
        "table_1": table(
            head=["mlp"], improvement=[improvement], wav2vec=[(0.5, 0.4, 0.6)], lld=[(0.6, 0.5, 0.7)], examples=[100]
        ),
        "table_2": table(model=["other", transfer.BIMODAL], ua=[(0.7, 0.6, 0.8), (0.75, 0.7, 0.8)]),
        "table_paired": table(first=["wav2vec bimodal"], second=["wav2vec speech"], difference=[(0.01, -0.1, 0.1)]),
        "table_attacks": table(
            attack=["none", "FGSM"],
            model=["m", "m"],
            epsilon=[0, 0.1],
            ua=[(1, 1, 1), (0.2, 0.1, 0.3)],
            ua_clean=[(1, 1, 1)] * 2,
        ),
    }


@pytest.mark.parametrize(
    ("improvement", "begins"),
    [
        ((0.05, 0.01, 0.1), "Yes: with 100 examples wav2vec is at best 5.0 points (1.0 to 10.0) of UA ahead"),
        ((-0.05, -0.1, -0.01), "Not here"),
        ((0.05, -0.01, 0.1), "Undecided here"),
    ],
)
def test_transfer_answers_by_the_interval(improvement, begins):
    told = transfer.findings(of_transfer(improvement))
    assert told[0].startswith(begins)
    assert told[1] == f"With all examples {transfer.BIMODAL} is best, with a UA of 75 % (70 to 80)."
    assert "add nothing that could be shown: 1.0 points (−10.0 to 10.0)" in told[2]
    assert "20 % (10 to 30) in the place of 100 % (100 to 100)" in told[3]


def of_faces(auc, noise):
    words = table(
        attack=["none", "fgsm"], epsilon=["", "1/1"], accuracy=[(1, 0.9, 1), (0.1, 0, 0.2)], auc=[(NAN,) * 3, auc]
    )
    controls = table(attack=["fgsm"], epsilon=["1/1"], auc_noise=[noise], error_noise=[(0.01, 0, 0.1)])
    sentences = table(epsilon=["1/1"], auc=[(0.9, 0.8, 1)], success=[(0.5, 0.4, 0.6)])
    streams = table(attack=["fgsm"] * 2, streams=["sound", "both"], accuracy=[(0.3, 0.2, 0.4), (0.1, 0, 0.2)])
    return {
        "table_1": words,
        "table_2": sentences,
        "table_3": sentences.head(0),
        "table_controls": controls.assign(corpus="words", detector="sync_clean"),
        "table_streams": streams,
    }


@pytest.mark.parametrize(
    ("auc", "noise", "begins"),
    [
        ((0.9, 0.8, 1), (0.6, 0.5, 0.7), "Yes: "),
        ((0.9, 0.8, 1), (0.9, 0.8, 1), "They are noticed, but not told from noise as loud: "),
        ((0.6, 0.4, 0.8), (0.3, 0.2, 0.35), "Not that it could be shown: "),
    ],
)
def test_lip_sync_catches_what_it_tells_from_noise(auc, noise, begins):
    told = audiovisual.findings(of_faces(auc, noise))
    assert (
        told[0].startswith(begins)
        and f"noise as loud, in which 1 % (0 to 10) is read wrongly, with {noise[0]:.2f}" in told[0]
    )
    assert "0.90 (0.80 to 1.00) or more" in told[1] and "succeeds in 50 % (40 to 60)" in told[1]
    assert "Of words 100 % (90 to 100) are read rightly, and 10 % (0 to 20)" in told[2]
    assert told[3].endswith("leaves 30 % (20 to 40) if it changes the sound alone.")


def of_speech(behind, wer):
    enhancers = ["none", speech.ENHANCER]
    attacked = dict.fromkeys(speech.ATTACKED)
    return {
        "table_4": table(enhancer=enhancers, rosa=[(0.6, 0.4, 0.8), behind]).assign(**attacked | speech.ATTACKED),
        "table_magnitude": table(
            enhancer=enhancers, success=[(1, 0.7, 1), (0.9, 0.6, 1)], snr_median_db=[30.0, 29.0]
        ).assign(**speech.ATTACKED),
        "table_recognisers": table(enhancer=enhancers, wer=[(0.03, 0, 0.06), wer]).assign(
            recogniser="deepspeech", speech="clean"
        ),
        "table_transfer": table(attack=["gradient"], victim=["v"], recogniser=["r"], rosa=[(0.2, 0.1, 0.3)]),
    }


@pytest.mark.parametrize(
    ("behind", "wer", "begins", "verb"),
    [
        ((0.0, 0, 0.2), (0.25, 0.2, 0.3), "Yes, where attackers do not know of it: ", "raises"),
        ((0.3, 0.1, 0.5), (0.05, 0.02, 0.1), "Not that it could be shown: ", "does not measurably raise"),
    ],
)
def test_enhancement_is_judged_by_intervals(behind, wer, begins, verb):
    told = speech.findings(of_speech(behind, wer))
    assert told[0].startswith(begins) and "without it 60 % (40 to 80)" in told[0]
    assert "90 % (60 to 100) of the files" in told[1] and "29.0 dB; without it 30.0 dB" in told[1]
    assert f"it {verb} the word error rate" in told[2]
    assert "up to 20 % (10 to 30)" in told[3] and "from v to r" in told[3]


def of_audit(gain=0.4, p_gain=0.01):
    """Two defences at one budget; intervals of the two overlap, which says nothing of what one gains on a clip."""
    rates = {"unaware": [(0.1, 0, 0.2), (0.9, 0.8, 1)], "aware": [(0.1, 0, 0.2), (0.5, 0.15, 0.7)]}
    defences = table(defence=["none", "half"], **rates).assign(gain=[0, gain], p_gain=[1, p_gain])
    guards = table(
        guard=["none", "g"], victim=["v", "v"], unaware=[(0, 0, 0.1), (0.5, 0.4, 0.6)], aware=[(0, 0, 0.1)] * 2
    )
    return {
        "table_defences": defences.assign(study="events", budget=20.0, budget_in="snr_db"),
        "table_guards": guards,
        "table_victims": pd.DataFrame({"flags": ["", NAN, "twice gains"]}),
    }


@pytest.mark.parametrize(
    ("gained", "begins"),
    [
        ((0.4, 0.04), "Defences of sounds help"),
        ((0.4, 0.06), "No defence of sounds is shown to help"),
        ((-0.4, 0.04), "No defence of sounds is shown to help"),
    ],
)
def test_a_defence_is_worth_what_is_told_from_none(gained, begins):
    told = audit.findings(of_audit(*gained))
    assert told[0].startswith(begins) and "90 % (80 to 100); without a defence 10 % (0 to 20)." in told[0]
    assert told[1].startswith("Of 1 detectors") and " 1 bring half" in told[1] and "of them, 0 if they do" in told[1]
    assert told[2].startswith("1 of 3 lines of victims carry a flag")


def test_a_defence_costs_who_knows_so_many_decibels():
    made = of_audit()
    made["table_defences"] = made["table_defences"].assign(extra_db=[NAN, 1.5], extra_db_low=1.0, extra_db_high=2.0)
    assert audit.findings(made)[1] == (
        "Of defences of sounds half costs who knows most: in the median a clip falls to an attack that is 1.5 dB "
        "(1.0 to 2.0) louder than without it."
    )


@pytest.mark.parametrize(
    ("study", "made"),
    [
        (events, of_events((80, 70, 90))),
        (emotion, of_emotion((0.5, 0.4, 0.6))),
        (transfer, of_transfer((0.1, 0, 0.2))),
        (audiovisual, of_faces((0.9, 0.8, 1), (0.6, 0.5, 0.7))),
        (speech, of_speech((0, 0, 0.2), (0.2, 0.1, 0.3))),
        (audit, of_audit()),
    ],
)
def test_of_empty_tables_it_is_said_that_nothing_can_be_told(study, made):
    told = study.findings({name: own.head(0) for name, own in made.items()})
    assert told[0].startswith("That can't be told")
    assert study.QUESTION.endswith("?")
