"""The speech study's tables from transcripts and qualities that were made up so that every value is known."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib import image

from stages import listen, page, report
from stages.frame import parameters, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.measures.intervals import clustered
from stages.studies import speech, speech_sounds
from stages.studies.speech_attacks import prepared
from stages.studies.verdicts import UNTESTABLE

PAPER_TEXT = Path(__file__).parents[3] / "shared" / "papers" / "speech-enhancement-self-attention-unet.txt"
TEXT, TARGET = "find my money now", "open the door"
CLIPS = [f"test-{n}" for n in range(4)]
SPEAKER = dict(zip(CLIPS, "efef"))
PLAIN = ["dnn", "wave_u_net", "u_net_attention"]
HARDENED = [f"{name}_hardened" for name in PLAIN]
RECOGNISERS = ["deepspeech", "deepspeech_hardened"]
# wave_u_net_hardened was not asked to enhance anything: someone's own item.
ASKED = ["", *PLAIN, "dnn_hardened", "u_net_attention_hardened"]
ENTRIES = {
    "gradient": {
        "direct": 10.12,
        "over_the_air": 10.12,
        "noise": 10.12,
        "mine<b>": 10.12,
        "smallest": -10.0,
        "spoken": -10.0,
    },
    "evolutionary": {"evolutionary": 10.12, "evolutionary_smallest": -10.0},
    "gradient_hardened": {"over_the_air": 10.12},
    "evolutionary_hardened": {"evolutionary": 10.12},
    "adaptive": {"smallest": -10.0, "evolutionary_smallest": -10.0, "spoken": -10.0},
}
# The SNR at which each clip fell, None where it did not. Of the control none fell, nor of the last.
FELL = {
    ("gradient", "smallest"): [20.0, 12.0, 16.0, 30.0],
    ("evolutionary", "evolutionary_smallest"): [10.0, 8.0, 6.0, None],
    ("adaptive", "smallest"): [4.0, 0.0, 2.0, None],
    ("adaptive", "evolutionary_smallest"): [None] * 4,
    ("gradient", "spoken"): [8.0, 6.0, 7.0, None],
    ("adaptive", "spoken"): [0.0, -2.0, -3.0, None],
}
# How many of the eight trials are transcribed as the target, of the undefended recogniser under the gradient attack.
TRIALS = {"": 7, "dnn": 4, "wave_u_net": 3, "u_net_attention": 0, "dnn_hardened": 2, "u_net_attention_hardened": 0}
GAINS = {"": 0.0, **dict(zip(PLAIN, (0.5, 0.6, 0.7))), "dnn_hardened": 0.8, "u_net_attention_hardened": 0.9}
LEVELS = [15.0, 5.0]


def corpus() -> pd.DataFrame:
    speakers = {"train": "ab", "validation": "cd", "test": "ef"}
    rows = [(f"{split}-{n}", TEXT, speakers[split][n % 2], split) for split in speakers for n in range(4)]
    rows += [(f"{kind}-ch01", "", kind, split) for kind, split in (("TBUS", "train"), ("TCAR", "test"))]
    table = pd.DataFrame(rows, columns=["clip_id", "text", "speaker", "split"])
    table = table.assign(file="x.flac", label="", fold="", verified=True, word_times="", duration_s=1.5)
    return table.assign(problem=["broken" if clip == "train-3" else "" for clip in table.clip_id])


def mixtures() -> pd.DataFrame:
    table = corpus()
    table = table[(table.text != "") & (table.problem == "")].reset_index(drop=True)
    table = table.assign(key=table.clip_id + "/0", noise="TCAR", noise_clip_id="TCAR-ch01", gain_db=0.0)
    return table.assign(snr_db=[LEVELS[int(clip[-1]) % 2] for clip in table.clip_id])


def decided(recogniser: str) -> pd.DataFrame:
    """One of 16 words is wrong, by beam search none; the hardened one has not been asked to search."""
    table = corpus()
    table = table[(table.text != "") & (table.split != "train")].assign(key=table.clip_id, confidence=0.9)
    table["decision"] = table.text.where(table.clip_id != "test-0", "find my money")
    searched = {} if recogniser.endswith("hardened") else {"decision_beam": table.text, "decision_n_gram": ""}
    return table[["key", "clip_id", "split", "speaker", "text", "duration_s", "decision", "confidence"]].assign(
        **searched
    )


def ratios(enhancer: str) -> pd.DataFrame:
    """Each raises the SNR by ten of its gains and the clip's number; one mixture came out silent."""
    own = mixtures()[["key", "clip_id", "split", "noise", "snr_db"]]
    gains = 10 * GAINS.get(enhancer, 0.1) + own.clip_id.str[-1].astype(int)
    return own.assign(snr_in_db=own.snr_db, snr_out_db=(own.snr_db + gains).mask(own.clip_id == "validation-0", np.inf))


def attacked(item: str) -> pd.DataFrame:
    rows = []
    for attack, bound in ENTRIES[item].items():
        for number, clip in enumerate(CLIPS):
            fell = FELL.get((item, attack), [bound] * 4)[number]
            failed = fell is None or attack in ("noise", "mine<b>")
            key = f"{clip}/open-the-door/{attack.strip('<b>')}"
            row = {"clip_id": clip, "speaker": SPEAKER[clip], "split": "test", "text": TEXT, "duration_s": 1.5}
            row |= {"target": TARGET, "attack": attack, "key": key}
            row |= {"recogniser": RECOGNISERS[item.endswith("hardened")]}
            row |= {"enhancer": "u_net_attention_hardened" if item == "adaptive" else "", "clean_prediction": TEXT}
            row |= {"clean_confidence": 0.8, "adversarial_prediction": TEXT if failed else TARGET, "confidence": 0.7}
            row |= {
                "success": not failed,
                "found": not failed,
                "iterations": 5,
                "forwards": 10 + number,
                "backwards": 5,
            }
            # An attack that added nothing has no finite SNR, and of a silent clip nothing can be told.
            sizes = {0: "inf", 1: ""} if attack == "mine<b>" else {}
            rows.append(row | {"snr_db_audio": sizes.get(number, bound if fell is None else fell)})
    return pd.DataFrame(rows)


def quality(enhancer: str, number: int) -> dict:
    # Clips differ, in the mean they do not.
    gain = GAINS[enhancer] + (enhancer != "") * (number - 1.5) / 1000
    values = {"pesq_nb": 2.0, "pesq_raw": 1 + number / 10 + gain, "pesq_wb": 1.5 + gain, "stoi": 0.7 + gain / 10}
    values |= {"sti": 0.6 + gain / 10, "snr_db": "inf" if (enhancer, number) == ("dnn", 3) else 5 + gain}
    if (enhancer, number) == ("", 2):
        return values | {"stoi": "", "undefined": "STOI: shorter than 0.4 s"}
    return values | {"undefined": ""}


def of_mixtures() -> pd.DataFrame:
    """Clean speech is understood, after the DNN all but a word; of noisy speech two words are, enhanced three."""
    rows = []
    for mixture in mixtures().query("split == 'test'").to_dict("records"):
        for version in ("clean", "noisy"):
            source = f"noisy/{mixture['key']}/{version}"
            for enhancer in ASKED:
                key = f"{source}/{enhancer}".rstrip("/")
                measured = quality(enhancer, int(mixture["clip_id"][-1])) if version == "noisy" else {}
                heard = {"noisy": "find my money" if enhancer else "find my", "clean": TEXT}[version]
                heard = "find my money" if (version, enhancer) == ("clean", "dnn") else heard
                row = {name: one for name, one in mixture.items() if name not in ("snr_db", "problem")}
                row |= {"mixed_at_db": mixture["snr_db"], "set": "noisy", "member": mixture["key"], "version": version}
                row |= {"trial": 0, "enhancer": enhancer, "source": source, "transcript_confidence": 0.5}
                rows += [
                    row | measured | {"key": f"{key}/{one}", "recogniser": one, "transcript": heard}
                    for one in RECOGNISERS
                ]
    return pd.DataFrame(rows).fillna("")


def of_attacks() -> pd.DataFrame:
    """Two trials of each clip; who is not deceived hears three of four words, after hardened enhancers all."""
    rows = []
    for item in list(ENTRIES)[:4]:
        own = attacked(item)
        for member in own[own.attack.isin(["over_the_air", "evolutionary", "noise"])].to_dict("records"):
            number = int(member["clip_id"][-1])
            hardened = item.endswith("hardened")
            for trial, enhancer in ((trial, enhancer) for trial in range(3) for enhancer in ASKED):
                hits = TRIALS[enhancer] if item == "gradient" else 2 * (enhancer == "" and not hardened)
                place = number + 4 * (trial - 1) if trial else 0
                hit = place < hits and member["attack"] != "noise"
                version = "played" if trial else "file"
                source = f"injected/{item}/{member['key']}/{version}" + (f"-{trial}" if trial else "")
                row = member | {"set": f"injected/{item}", "member": member["key"], "version": version, "trial": trial}
                row |= {"enhancer": enhancer, "source": source, "transcript_confidence": 0.5}
                row |= {"victim": member["recogniser"]} | (quality(enhancer, number) if version == "file" else {})
                for one in RECOGNISERS:
                    row |= {"key": f"{source}/{enhancer}".rstrip("/") + f"/{one}", "recogniser": one}
                    # Of those made on the other one the first clip's first trial deceives too, where nothing is enhanced.
                    deceived = hit and (one == row["victim"] or (place, enhancer) == (0, ""))
                    row |= {"transcript": TARGET if deceived else TEXT if "hardened" in enhancer else "find my money"}
                    rows.append(dict(row))
    return pd.DataFrame(rows).fillna("")


def given() -> dict:
    def model(name: str, start: str = "") -> dict:
        own = {"network": name.removesuffix("_hardened"), "method": "enhancement"}
        own["method"] = "speech_recognition" if "deepspeech" in name else "enhancement"
        return {"study": "speech"} | own | ({"starts_from": start} if start else {})

    def injection(item: str) -> dict:
        attacks = {name: {"attack": "a", "snr_db": bound} for name, bound in ENTRIES[item].items()}
        enhancer = "u_net_attention_hardened" if item == "adaptive" else None
        return {"study": "speech", "enhancer": enhancer, "attacks": attacks}

    names = ("mixtures", "injected")
    return {
        "victims": {"other": {"study": "events"}} | {name: model(name) for name in ("deepspeech", *PLAIN)},
        "hardening": {f"{name}_hardened": model(f"{name}_hardened", name) for name in ("deepspeech", *PLAIN)},
        "injections": {item: injection(item) for item in ENTRIES},
        "enhancements": {name: {"study": "speech", "source": s} for name, s in zip(names, ("noisy", "injected"))},
        "assessments": {name: {"study": "speech"} for name in names},
        "listening": {"speech": ["over_the_air", "evolutionary"]},
        "corpora": {"speech": {"reader": "noisy_speech", "root": "data/embedded/speech"}},
    }


def write() -> None:
    """All that the study reads, below the working directory."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, 24000).astype("f4")
    about = {"inputs": [], "settings": 0, "worker": Worker(), "description": "t", "clips_per_shard": 3000}
    signal = {"signal": {"sample_rate_hz": 16000}}

    def filled(array: np.ndarray):
        return lambda rows: (rows, [{"audio": array}] * len(rows))

    half = (noise * 2**14).astype("i2")
    shards.write_set(corpus().assign(key=corpus().clip_id), "data/speech/audio", filled(noise), **about, about=signal)
    shards.write_set(mixtures(), "data/speech/noisy", filled(noise), **about, about=signal)
    for item in ENTRIES:
        folder = "injected_through" if item == "adaptive" else "injected"
        shards.write_set(attacked(item), f"data/speech/{folder}/{item}", filled(half), **about, about=signal)
    for item, table in (("mixtures", of_mixtures()), ("injected", of_attacks())):
        keys = [key.removesuffix(f"/{one}") for key, one in zip(table.key, table.recogniser)]
        enhanced = table.assign(key=keys).drop_duplicates("key")
        shards.write_set(enhanced, f"data/speech/enhanced/{item}", filled(half), **about, about=signal)
        folder = Path(f"data/speech/assessed/{item}")
        folder.mkdir(parents=True)
        table.to_csv(folder / "clips.csv", index=False)
    for name in ("deepspeech", *PLAIN):
        for own in (name, f"{name}_hardened"):
            folder = Path("models/speech", name, own)
            folder.mkdir(parents=True)
            made = decided(own) if name == "deepspeech" else ratios(own)
            made.to_csv(folder / "decisions.csv", index=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working directory that holds all that the study reads."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("study")
        patch.chdir(folder)
        patch.setenv("SCRATCH", str(folder / "scratch"))
        write()
        Path("params.yaml").write_text(yaml.safe_dump(given(), sort_keys=False))
        yield folder


@pytest.fixture(scope="module")
def measured(place):
    return speech.read(parameters.read())


@pytest.fixture(scope="module")
def made(measured):
    return speech.tables(measured)


def cells(table: pd.DataFrame, where: dict, *names: str) -> list:
    """The values of these columns in the one row of which that is true."""
    own = table[(table[list(where)] == pd.Series(where)).all(axis=1)]
    assert len(own) == 1
    return own[list(names)].iloc[0].tolist()


def verdict(made: dict, part: str) -> pd.Series:
    """The one claim that contains these words."""
    own = made["claims"][made["claims"].claim.str.contains(part, regex=False)]
    assert len(own) == 1
    return own.iloc[0]


def test_corpus_and_recognisers_are_counted(made):
    table = made["table_corpora"]
    train, test = {"split": "train"}, {"split": "test"}
    assert cells(table, train, "n", "unreadable", "speakers", "kinds_of_noise", "at_15_db") == [3, 1, 2, 1, 2]
    assert cells(table, test, "n", "unreadable", "kinds_mixed", "at_15_db", "at_5_db") == [4, 0, 1, 2, 2]
    table = made["table_recognisers"]
    own = {"recogniser": "deepspeech", "speech": "test clips"}
    assert cells(table, own, "wer", "wer_beam", "wer_n_gram", "n") == [0.0625, 0, 1, 4]
    hardened = table.query("recogniser == 'deepspeech_hardened' and speech == 'test clips'").iloc[0]
    assert hardened.wer == 0.0625
    assert math.isnan(hardened.wer_beam)
    noisy = {"recogniser": "deepspeech", "speech": "noisy", "enhancer": "none"}
    assert cells(table, noisy, "wer", "n") == [0.5, 4]
    assert cells(table, noisy | {"enhancer": "u_net_attention"}, "wer", "n") == [0.25, 4]
    assert cells(table, noisy | {"speech": "clean", "enhancer": "dnn"}, "wer") == [0.25]
    (wer,) = cells(table, noisy | {"enhancer": "wave_u_net_hardened"}, "wer")
    assert math.isnan(wer)


def test_quality_leaves_out_what_is_not_finite_and_says_how_much(made):
    table = made["table_1"]
    names = ("pesq_raw", "pesq_raw_paper", "stoi", "snr_db", "snr_db_paper", "undefined", "n")
    assert cells(table, {"enhancer": "none"}, *names) == [1.15, 1.97, 0.7, 5, -1.63, 1, 4]
    # One of the DNN's is infinite, the other three are 5.5 dB, but for a thousandth each.
    assert cells(table, {"enhancer": "dnn"}, *names) == [1.65, 2.62, 0.75, 5.4995, 7.67, 1, 4]
    assert table.enhancer.tolist() == ["none", *PLAIN]
    hardened = made["table_3"]
    assert hardened.enhancer.tolist() == ["none", *HARDENED]
    assert cells(hardened, {"enhancer": "dnn_hardened"}, "pesq_raw", "pesq_raw_paper", "n") == [1.95, 2.55, 4]
    lacking = hardened.query("enhancer == 'wave_u_net_hardened'").iloc[0]
    assert lacking.n == 0
    assert lacking[["pesq_raw", "pesq_raw_low", "snr_db"]].isna().all()
    levels = made["table_levels"]
    row = {"mixed_at_db": 15.0, "enhancer": "dnn"}
    assert cells(levels, row, "snr_in_db", "snr_out_db", "gain_db", "n") == [15, 21, 6, 2]
    assert cells(levels, row | {"mixed_at_db": 5.0}, "gain_db") == [7]


def test_rosa_is_of_all_trials_of_all_clips(made):
    table = made["table_4"]
    assert len(table) == 2 * 2 * 4
    own = {"attack": "gradient", "recogniser": "deepspeech", "enhancer": "none"}
    assert cells(table, own, "rosa", "rosa_paper", "rosa_file", "wer_paper", "n") == [0.875, 0.9023, 1, 0.859, 8]
    # Seven hear the target, all of four words wrong, the eighth one word too few.
    assert cells(table, own, "wer", "wer_target") == [round(29 / 32, 4), round(3 / 24, 4)]
    low, high = cells(table, own, "rosa_low", "rosa_high")
    assert (low, high) == pytest.approx(clustered(np.array([4, 3]), np.array([4, 4])), abs=1e-4)
    assert cells(table, own | {"enhancer": "u_net_attention"}, "rosa", "rosa_file", "wer") == [0, 0, 0.25]
    assert cells(table, own | {"recogniser": "deepspeech_hardened"}, "rosa", "rosa_paper") == [0, 0.2734]
    # By eight trials made on the undefended one the hardened one is deceived once, by their files always.
    transfer = {"attack": "gradient", "victim": "deepspeech", "recogniser": "deepspeech_hardened"}
    told = cells(made["table_transfer"], transfer, "rosa", "rosa_paper", "rosa_file", "n")
    assert told == [0.125, 0.2734, 1, 8]
    back = {"attack": "gradient", "victim": "deepspeech_hardened", "recogniser": "deepspeech"}
    assert np.isnan(cells(made["table_transfer"], back, "rosa_paper")).all()
    hardened = made["table_4_hardened"]
    assert not any(name.endswith("_paper") for name in hardened)
    assert cells(hardened, own | {"enhancer": "dnn_hardened"}, "rosa", "n") == [0.25, 8]
    rosa, wer, n = cells(hardened, own | {"enhancer": "wave_u_net_hardened"}, "rosa", "wer", "n")
    assert (math.isnan(rosa), math.isnan(wer), n) == (True, True, 0)


def test_attacks_have_their_failures_and_a_control(made):
    table = made["table_attacks"]
    assert list(zip(table["item"], table.attack)) == [(item, one) for item in ENTRIES for one in ENTRIES[item]]
    noise = {"item": "gradient", "attack": "noise"}
    names = ("success", "rosa", "snr_db", "wer", "wer_target", "n")
    assert cells(table, noise, *names) == [0, 0, 10.12, 0, 1.3333, 4]
    assert cells(table, {"attack": "direct"}, "success", "distance", "queries", "backwards") == [1, 0, 11.5, 5]
    (rosa,) = cells(table, {"attack": "direct"}, "rosa")
    assert math.isnan(rosa)
    # Of one clip the SNR is infinite, of one unknown.
    assert cells(table, {"attack": "mine<b>"}, "snr_db", "snr_db_undefined", "n") == [10.12, 2, 4]
    through = {"item": "adaptive", "attack": "evolutionary_smallest"}
    assert cells(table, through, "success", "enhancer", "snr_db") == [0, "u_net_attention_hardened", -10]


def test_the_snr_needed_is_that_of_the_last_clip_to_fall(made):
    table = made["table_magnitude"]
    names = ("success", "snr_needed_db", "snr_needed_db_paper", "snr_median_db", "told", "loudest_db", "n")
    gradient = {"attack": "gradient", "enhancer": "none"}
    assert cells(table, gradient, *names) == [1, 12, 7.63, 18, "every clip fell", -10, 4]
    some = table.query("attack == 'gradient' and enhancer != 'none'").iloc[0]
    assert (some.success, some.snr_median_db, some.told) == (0.75, 2, "1 not even at the loudest")
    assert math.isnan(some.snr_needed_db)
    none = table.query("attack == 'evolutionary' and enhancer != 'none'").iloc[0]
    assert (none.success, none.told, none.snr_needed_db_paper) == (0, "4 not even at the loudest", -3.21)
    assert none[["snr_needed_db", "snr_median_db"]].isna().all()
    curve = made["figure_3"].query("attack == 'gradient' and enhancer == 'none'")
    assert (curve.snr_db.iloc[0], curve.snr_db.iloc[-1]) == (40, -10)
    told = curve.set_index("snr_db").share
    assert told[[40.0, 30.0, 20.0, 16.5, 16.0, 12.5, 12.0, -10.0]].tolist() == [0, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1]
    assert made["figure_3"].query("attack == 'evolutionary' and enhancer != 'none'").share.eq(0).all()


def test_claims_hold_or_not_by_what_was_measured(made):
    known = {
        "every enhancer raises the PESQ of noisy speech": "holds",
        "every enhancer raises the SNR of noisy speech": "holds",
        "the U-Nets make more": "holds",
        "every enhancer raises the SNR of adversarial speech": "holds",
        "every enhancer lowers the STOI of adversarial speech": "does not hold",
        "every hardened enhancer raises the STI": "holds",
        "of the hardened enhancers": "holds",
        "adversarial training improves": "holds",
        "the attack that is not played always": "holds",
        "Carlini and Wagner's": UNTESTABLE,
        "the gradient attack succeeds over the air": "does not hold",  # 7 of 8
        "under the gradient attack every enhancer lowers the RoSA": "holds",
        "under the gradient attack every enhancer lowers the WER": "does not hold",  # the hardened one's is as before
        "under the gradient attack no enhancer lowers the RoSA": "holds",
        "under the evolutionary attack every enhancer lowers the RoSA": "holds",
        "recogniser lowers its RoSA under the gradient attack, made anew": "holds",
        "recogniser lowers its RoSA under the gradient attack, made on the undefended one": "holds",
        "under the gradient attack by 2.22 points": "holds",  # 25 points
        "has to be louder (gradient attack)": "holds",
        "has to be louder (evolutionary attack)": "holds",
        "noise as loud": "holds",
        "nobody attacked": "holds",
        "no enhancer raises the WER of deepspeech on clean": "does not hold",
        "recogniser does not raise its WER on clean": "holds",
        "from STOI .83": UNTESTABLE,
        "an SNR of -1.63 dB": UNTESTABLE,
        "an SNR of -1.52 dB": UNTESTABLE,
    }
    assert {part: verdict(made, part).verdict for part in known} == known
    told = verdict(made, "every enhancer raises the PESQ of noisy speech")
    assert told.paper == "1.97 to 2.62, 2.86, 2.88"
    assert told.here == "dnn +0.500; wave_u_net +0.600; u_net_attention +0.700"
    assert told.certain == "yes"
    # Where nobody's transcripts differ, nothing is certain.
    assert verdict(made, "recogniser does not raise its WER on clean").certain == "no"
    # Its three clips fell at 16, 12 and 14 dB more, the fourth can't at 40 dB more.
    louder = verdict(made, "has to be louder (gradient attack)")
    assert "for all clips 12.00 dB to never; on the same clip +20.50 dB louder (4 clips" in louder.here
    assert louder.paper == "7.63 to -2.23 dB, for all clips"
    # Spoken, the clips need 12, 6 and 9 dB more than the attack, the fourth 40 dB at least.
    spoken = verdict(made, "the phrase spoken over the clip has to be louder than the gradient attack")
    assert (spoken.verdict, spoken.here[:44]) == ("holds", "+16.75 dB louder on the same clip (4 clips; ")
    spoken = verdict(made, "spoken at the -2.23 dB of the paper's attack")
    assert (spoken.verdict, spoken.here) == ("does not hold", "2 of 4 clips; without the U-Net 3 of 4")
    # Rates that are zero before can't fall: of the hardened recogniser nothing is told.
    under = verdict(made, "under the gradient attack every enhancer lowers the RoSA")
    assert under.here.count("deepspeech, ") == 3
    assert "90.23 % to 84.86, 83.43, 83.11 %; 27.34 % to 22.21" in under.paper


def test_pairs_are_of_the_same_clip_phrase_and_trial(measured, made):
    """Rows in another order, and a clip that only one side has, change no difference."""
    heard = measured.heard
    less = heard[~((heard.clip_id == "test-3") & (heard.enhancer == "dnn"))].iloc[::-1].reset_index(drop=True)
    claims = speech.tables(replace(measured, heard=less))
    told = verdict(claims, "under the gradient attack every enhancer lowers the RoSA").here
    # Without test-3 six of six before, three (clips 0 to 2) after the DNN.
    assert "deepspeech, dnn -0.500" in told
    assert "deepspeech, dnn -0.375" in verdict(made, "under the gradient attack every enhancer lowers the RoSA").here


def without(measured: speech.Measured, name: str) -> speech.Measured:
    """Where something was not made, or nothing came of it."""
    heard, attacked, noisy = measured.heard, measured.attacked, measured.noisy
    failed = attacked.assign(adversarial_prediction=TEXT, success=False)
    return {
        "nothing succeeds": lambda: replace(
            measured,
            attacked=prepared(failed, "adversarial_prediction"),
            heard=prepared(heard.assign(transcript=TEXT), "transcript"),
        ),
        "nothing is heard": lambda: replace(measured, heard=heard.head(0)),
        "nothing is attacked": lambda: replace(measured, attacked=attacked.head(0), heard=heard.head(0)),
        "no mixture": lambda: replace(measured, noisy=noisy.head(0)),
        "one clip": lambda: replace(measured, heard=heard[heard.clip_id == "test-0"]),
        "no enhancer": lambda: replace(measured, heard=heard[heard.enhancer == ""], noisy=noisy[noisy.enhancer == ""]),
        "one recogniser": lambda: replace(measured, recognisers=["deepspeech"], enhancers={"dnn": "", "mine": ""}),
    }[name]()


NAMES = ["nothing succeeds", "nothing is heard", "nothing is attacked", "no mixture", "one clip", "no enhancer"]


@pytest.mark.parametrize("name", [*NAMES, "one recogniser"])
def test_what_was_not_measured_leaves_cells_empty_and_claims_untested(measured, made, tmp_path, place, name):
    part = without(measured, name)
    smaller = speech.tables(part)
    speech.figures(smaller, part, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(speech.FIGURES)
    assert all(math.isfinite(value) for value in speech.metrics(smaller).values())
    if name != "one recogniser":
        assert smaller["claims"].claim.tolist() == made["claims"].claim.tolist()
    untested = set(smaller["claims"].query("verdict == @UNTESTABLE").claim)
    expected = {
        "nothing succeeds": "under the gradient attack every enhancer lowers the RoSA of both recognisers",
        "nothing is heard": "every enhancer raises the SNR of adversarial speech",
        "nothing is attacked": "noise as loud as the attacks is never transcribed as the phrase, be it played or not",
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
        assert verdict(smaller, "the attack that is not played").verdict == "does not hold"
    if name == "one clip":
        assert verdict(smaller, "every enhancer raises the SNR of adversarial speech").certain == "no"


def test_metrics_are_plain_numbers(made):
    metrics = speech.metrics(made)
    assert 15 <= len(metrics) <= 30
    assert json.loads(json.dumps(metrics)) == metrics
    assert (metrics["wer_clean_deepspeech"], metrics["wer_noisy_deepspeech"]) == (0.0625, 0.5)
    assert metrics["rosa_gradient_deepspeech_none"] == 0.875
    assert metrics["snr_gain_db_dnn"] == 6.5
    assert "snr_median_db_evolutionary_u_net_attention_hardened" not in metrics


def test_report_page_and_sounds(place, made):
    """All files of the study from what was written; names of someone's own are text on the page."""
    report.main("speech")
    folder = Path("reports/speech")
    tables = {f"{name}.csv" for name in (*speech.TABLES, "claims", "unreadable", "figure_3")}
    assert {path.name for path in folder.iterdir()} == tables | set(speech.FIGURES) | {"metrics.json"}
    assert json.loads((folder / "metrics.json").read_text())["unreadable_clips"] == 1
    # Six panels: loud noise (light), and half of it (darker) in the four that were attacked.
    assert image.imread(folder / "figure_2.png").std() > 0.1
    listen.main("speech")
    page.main("speech")
    text = re.sub(r"\s+", " ", (folder / "index.html").read_text())
    assert "mine&lt;b&gt;" in text
    assert "mine<b>" not in text
    row = made["table_1"].query("enhancer == 'dnn'").iloc[0]
    interval = f'<span class="interval">{row.pesq_raw_low:.2f} – {row.pesq_raw_high:.2f}</span>'
    assert f'<td>{row.pesq_raw:.2f}{interval}<span class="paper">2.62</span></td>' in text
    for title in (*speech.TABLES.values(), *speech.FIGURES.values()):
        assert title.split("'")[0] in text
    assert text.count("<audio") == 2 * 6


def test_a_clip_to_hear_has_fallen_and_is_enhanced_when_played(place):
    clip = speech_sounds.clip("over_the_air")
    assert (clip.clip_id, clip.label, clip.target, clip.sample_rate_hz) == ("test-0", TEXT, TARGET, 16000)
    assert clip.strength == "over_the_air at 10.1 dB SNR, succeeded on deepspeech"
    heard = {sound.name: sound.decision for sound in clip.sounds}
    after = {"played": TARGET, "played_dnn_hardened": TARGET, "played_u_net_attention_hardened": TEXT}
    assert heard == {"original": TEXT, "adversarial": TARGET, "difference": ""} | after
    original, adversarial, difference, *_ = clip.sounds
    assert adversarial.waveform == pytest.approx(original.waveform + difference.waveform)
    with pytest.raises(UserError, match=r"listening\.speech: expected attacks of items .*; found nothing"):
        speech_sounds.clip("nothing")


def test_what_params_yaml_lacks_is_the_users_error(place):
    values = given()
    for what, section in (("victims", "hardening"), ("injections", "injections")):
        lacking = values | {section: {}, what: {}}
        with pytest.raises(UserError, match=f"params.yaml: {what}: expected recognisers, enhancers and attacks"):
            speech.read(lacking)
    again = values | {"assessments": values["assessments"] | {"again": {"study": "speech"}}}
    again["enhancements"] = values["enhancements"] | {"again": {"study": "speech", "source": "noisy"}}
    with pytest.raises(UserError, match=r"assessments: expected one of mixtures and one of .*; found mixtures, inj"):
        speech.read(again)


def test_the_papers_tables_are_those_of_its_text():
    if not PAPER_TEXT.is_file():
        pytest.skip("the paper's text is not on this machine")
    text = PAPER_TEXT.read_text(encoding="utf-8")
    paper = speech.printed_tables()
    found = re.findall(r"^(PESQ|STI|STOI|SNR)\t([-\d.\t]+)$", text, re.MULTILINE)
    columns = {"PESQ": "pesq_raw", "STI": "sti", "STOI": "stoi", "SNR": "snr_db"}
    assert len(found) == 3 * 4
    for place, (measure, values) in enumerate(found):
        own = paper[paper.table == f"table_{1 + place // 4}"]
        assert own[columns[measure]].tolist() == [float(value) for value in values.split("\t")]
    found = re.findall(r"^(RoSA|WER) _\{?DeepSpeech(\+AdvT)?\}?\t([\d.\t]+)$", text, re.MULTILINE)
    assert len(found) == 8
    for place, (measure, hardened, values) in enumerate(found):
        attack = "gradient" if place < 4 else "evolutionary"
        recogniser = "deepspeech_hardened" if hardened else "deepspeech"
        own = paper[(paper.table == "table_4") & (paper.attack == attack) & (paper.recogniser == recogniser)]
        told = (100 * own[measure.lower()]).round(2).tolist()
        assert told == [float(value) for value in values.split("\t")]
        assert own.enhancer.tolist() == ["none", *PLAIN]
    needed = paper[paper.table == "figure_3"].snr_needed_db.tolist()
    assert needed == [7.63, -2.23, 7.82, -3.21]
    assert all(f"{value:g}" in text for value in needed)
