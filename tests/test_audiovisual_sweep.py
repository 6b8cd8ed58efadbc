"""From clips with sound and pictures through recognisers, attacks and detectors to what can be seen, of tones and noise."""

import itertools
import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from stages import detect, listen, sweep, train, victim
from stages.detection import lip_sync
from stages.frame import clip_table, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.frame.ffmpeg import binary

CROP = 18
SPLITS = ["train"] * 12 + ["validation"] * 4 + ["test"] * 6
FRAMES = (16, 18, 17, 19)
TONES_HZ = {"a": 500, "b": 1200, "n": 2500}
SENTENCES = ("ab ba", "ba an", "an ab", "ba nab", "nab an")
TARGETS = ("an ba", "ba an")
EPSILONS = ({"audio": 256, "video": 4}, {"audio": 1024, "video": 8})
UNIT = {"audio": 2**-15, "video": 1.0}
TOLD = ("256/4", "1024/8")
STUDIES = {"words": ("first", "second"), "sentences": ("third",)}
DETECTORS = ("synchrony", "frame_difference", "quietest_moment")

NETWORK = {
    "side": 16,
    "stem": 4,
    "widths": [8],
    "blocks": [1],
    "video_features": 8,
    "audio_channels": [12, 12, 12, 12, 16],
    "units": 12,
    "layers": 1,
    "steps_per_frame": 2,
    "dropout": 0.1,
}
READER = {
    "inputs": "mouths",
    "beside": "mouths",
    "network": "lip_reader",
    "method": "lip_reading",
    "recipe": "reading",
}
PARAMS = {
    "recipes": {
        "reading": {
            "seed": 1,
            "epochs": 5,
            "batch_size": 4,
            "learning_rate": 0.02,
            "label_smoothing": 0.05,
            "audio_epochs": 3,
            "ctc_from_epoch": 3,
            "dropped_stream_share": 0.1,
            "shifted_frames": 1,
            "noise": {"audio_levels": 64.0, "video_levels": 2.0, "share": 0.5},
            "beam_width": None,
            "grammar": None,
        },
        "synchrony": {
            "seed": 1,
            "epochs": 1,
            "batch_size": 4,
            "learning_rate": 0.005,
            "loss": "multiway",
            "margin": 1.0,
            "noise": None,
        },
    },
    "victims": {
        "first": READER | {"study": "words", "parameters": NETWORK | {"decides": "label"}, "training": {}},
        "second": READER
        | {"study": "words", "parameters": NETWORK | {"decides": "label"}, "training": {"seed": 2, "epochs": 1}},
        "third": READER
        | {
            "study": "sentences",
            "parameters": NETWORK | {"decides": "text"},
            "training": {"epochs": 16, "audio_epochs": 14, "ctc_from_epoch": 8},
        },
        "synchrony": {
            "study": "sentences",
            "inputs": "mouths",
            "beside": "mouths",
            "network": "syncnet_mouth",
            "parameters": {"side": 16, "width": 0.25, "dimensions": 8},
            "method": "synchronisation",
            "recipe": "synchrony",
            "training": {},
        },
    },
    "sweeps": {
        "words": {
            "epsilons": list(EPSILONS),
            "unit": UNIT,
            "rounded": True,
            "attacks": {
                "fgsm": {"eta": None},
                "basic_iterative": {"step": {"audio": 64, "video": 1}, "counted_on": "video"},
            },
            "attacked_clips_per_label": None,
            "kept_clips_per_label": None,
            "batch_size": 8,
        },
        "sentences": {
            "epsilons": [EPSILONS[1]],
            "unit": UNIT,
            "rounded": True,
            "targets": list(TARGETS),
            "attacks": {
                f"targeted_transcription-{name}": {
                    "iterations": 12,
                    "relative_step": 0.3,
                    "shrink": 0.8,
                    "checked_every": 4,
                    "tolerated_wer": tolerated_wer,
                }
                for name, tolerated_wer in (("partial", 0.6), ("full", 0.0))
            },
            "attacked_clips_per_label": None,
            "kept_clips_per_label": None,
            "batch_size": 8,
        },
    },
    "sweep_items": {
        study: {
            "study": study,
            "inputs": "mouths",
            "beside": "mouths",
            "network": "lip_reader",
            "victims": list(victims),
        }
        for study, victims in STUDIES.items()
    },
    "detectors": {
        "synchrony": {
            "detection": "lip_sync",
            "model": "models/sentences/syncnet_mouth/synchrony",
            "network": "syncnet_mouth",
            "shifts": 3,
            "pairs": "padded",
        },
        "frame_difference": {"detection": "frame_difference"},
        "quietest_moment": {"detection": "quietest_moment"},
    },
    "detect_items": {
        study: {
            "study": study,
            "inputs": "mouths",
            "sweep": study,
            "network": "lip_reader",
            "synchronisers": "models/sentences/syncnet_mouth",
            "detectors": list(DETECTORS),
            "batch_size": 8,
        }
        for study in STUDIES
    },
    "listening": {"audiovisual": ["words", "sentences"]},
}


def write_mouths(folder, study):
    """Words or sentences whose characters are tones, with pictures as bright as the sound is high; in whole numbers."""
    names = "ab" if study == "words" else SENTENCES
    count = len(SPLITS)
    texts = [names[number % len(names)] for number in range(count)]
    table = pd.DataFrame({"clip_id": [f"c{number:02d}" for number in range(count)], "text": texts, "split": SPLITS})
    table = table.assign(key=table.clip_id, label=texts if study == "words" else "", problem="", fold="")
    table = table.assign(speaker=[f"s{number % 3}" for number in range(count)])
    table["duration_s"] = [FRAMES[number % 4] / 25 for number in range(count)]
    table["word_times"] = [
        "; ".join(f"{word} {n * 0.32} {(n + 1) * 0.32}" for n, word in enumerate(text.split())) for text in texts
    ]

    def compute(part):
        made = []
        for row in part.itertuples():
            rng = np.random.default_rng(row.Index)
            frames = round(25 * row.duration_s)
            audio, level = 0.02 * rng.standard_normal(640 * frames), np.zeros(frames)
            for place, word in enumerate(row.text.split()):
                edges = np.linspace(8 * place, 8 * (place + 1), len(word) + 2).round().astype(int)
                for character, first, last in zip(word, edges, edges[1:]):
                    time = np.arange(640 * (last - first)) / 16000
                    audio[640 * first : 640 * last] += 0.1 * np.sin(2 * np.pi * TONES_HZ[character] * time)
                    level[first:last] = TONES_HZ[character] / 50
            video = 90 + level[:, None, None] + rng.integers(-20, 20, (frames, CROP, CROP))
            made.append({"video": video.astype("u1"), "audio": (np.rint(audio * 2**15) / 2**15).astype("f")})
        return part, made

    about = {
        "signal": {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": CROP},
        "bounds": {"audio": [-1.0, 1 - 2**-15], "video": [0.0, 255.0]},
        "quantum": UNIT,
    }
    shards.write_set(
        table,
        folder / "data" / study / "mouths",
        compute,
        inputs=[],
        settings=study,
        worker=Worker(),
        description="t",
        about=about,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder in which all the verbs have run."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DEVICE", "cpu")
        for study in STUDIES:
            write_mouths(folder, study)
        for name in PARAMS["victims"]:
            train.main(name)
        for study in STUDIES:
            sweep.main(study)
            detect.main(study)
    return folder


@pytest.fixture(scope="module", params=STUDIES)
def study(request, done):
    """One of the studies: its clips, what the attacks made of them, and what the detectors say of that."""
    return Study(done, request.param)


class Study:
    """What lies in the folders of one study."""

    def __init__(self, folder, name, detected=True):
        self.folder, self.name, self.data = folder, name, folder / "data" / name
        self.clips, self.sweep = (shards.ShardSet(self.data / part) for part in ("mouths", f"sweeps/{name}"))
        self.rows = self.sweep.table
        self.attacked = self.rows[self.rows.attack != "none"]
        self.detected = detected and clip_table.read(self.data / f"detections/{name}/clips.csv")

    def made(self, key):
        """What the attack made of a clip, in the form of the clips."""
        arrays = self.sweep.load(key)
        return {"video": arrays["video"], "audio": arrays["audio"].astype("f") / 2**15}

    def delta(self, key):
        """What the attack added, in whole numbers of the files' scale."""
        made, clean = self.sweep.load(key), self.clips.load(key.split("/")[0])
        return {
            "video": made["video"].astype(int) - clean["video"],
            "audio": made["audio"] - np.rint(clean["audio"] * 2**15).astype(int),
        }


def batch(*clips):
    return {
        key: value
        for name in ("video", "audio")
        for key, value in victim.padded_batch([clip[name] for clip in clips], "cpu", name).items()
    }


def test_each_victim_meets_each_clip_once_an_attack_epsilon_and_target(study):
    rows = study.rows
    assert not rows.key.duplicated().any()
    held_out = study.clips.table[study.clips.table.split != "train"]
    clips = list(zip(held_out.clip_id, held_out.text))
    attacks, told, targets = PARAMS["sweeps"][study.name]["attacks"], TOLD, [""]
    if study.name == "sentences":
        told, targets = TOLD[1:], TARGETS
    runs = [("none", "0.0"), *itertools.product(attacks, told)]
    expected = {
        (model, clip, target, *run)
        for model, (clip, text), target, run in itertools.product(STUDIES[study.name], clips, targets, runs)
        # No clip is made into what it is.
        if target != text
    }
    assert set(zip(rows.victim, rows.clip_id, rows.target, rows.attack, rows.epsilon)) == expected
    assert len(rows) == len(expected)


def test_perturbations_are_whole_numbers_of_the_files_within_epsilon(study):
    for row in study.attacked.itertuples():
        arrays, clean = study.sweep.load(row.key), study.clips.load(row.clip_id)
        assert arrays["video"].dtype == np.uint8 and arrays["audio"].dtype == np.int16
        assert arrays["video"].shape == clean["video"].shape and arrays["audio"].shape == clean["audio"].shape
        delta, epsilon = study.delta(row.key), dict(zip(("audio", "video"), map(int, row.epsilon.split("/"))))
        for name, most in epsilon.items():
            assert np.abs(delta[name]).max() <= most
        assert row.linf_video == np.abs(delta["video"]).max()
        assert row.linf_audio == np.abs(delta["audio"]).max() / 2**15
        assert row.l2_video == pytest.approx(np.sqrt((delta["video"] ** 2).sum()), rel=1e-5)
        power = [np.square(one, dtype="f8").sum() for one in (clean["audio"], delta["audio"] / 2**15)]
        if power[1]:
            assert row.snr_db_audio == pytest.approx(10 * np.log10(power[0] / power[1]), abs=1e-3)
        if row.attack == "fgsm":
            assert (np.abs(delta["video"][:, 1:-1, 1:-1]) == epsilon["video"]).mean() > 0.9
            assert (np.abs(delta["audio"]) == epsilon["audio"]).mean() > 0.9
    assert not any(study.sweep.load(key) for key in study.rows.key[study.rows.attack == "none"])


def test_what_is_kept_is_decided_as_the_table_says(study):
    """Each clip by itself, not in the batch in which it was attacked."""
    models = {
        name: victim.load(
            study.folder / f"models/{study.name}/lip_reader/{name}/model", network="lip_reader", device="cpu"
        )
        for name in STUDIES[study.name]
    }
    assert {type(model) for model in models.values()} == {
        victim.Victim if study.name == "words" else victim.Transcriber
    }
    for row in study.attacked.itertuples():
        model, made = models[row.victim], batch(study.made(row.key))
        with torch.no_grad():
            label, confidence = model.decode(model.logits(made))
        assert model.names(label) == [row.adversarial_prediction]
        if study.name == "words":
            assert confidence.item() == pytest.approx(row.confidence, abs=1e-4)


def test_success_is_what_the_table_shows(study):
    rows = study.rows
    reached = (
        rows.adversarial_prediction != rows.label
        if study.name == "words"
        else rows.adversarial_prediction == rows.target
    )
    assert (rows.success == reached).all()
    clean = rows[rows.attack == "none"]
    assert (clean.clean_prediction == clean.adversarial_prediction).all()
    if study.name == "words":
        errors = study.attacked.groupby(["victim", "attack", "epsilon"]).success.mean()
        right = (clean.clean_prediction == clean.label)[clean.victim == "first"].mean()
        assert right >= 0.8 and errors["first"].loc["basic_iterative", "1024/8"] >= 0.5


def test_attacks_lower_the_loss_that_they_are_to_lower(study):
    """The last of them at its largest epsilons, against the clips as they are."""
    name = STUDIES[study.name][0]
    model = victim.load(
        study.folder / f"models/{study.name}/lip_reader/{name}/model", network="lip_reader", device="cpu"
    )
    rows = study.attacked[(study.attacked.victim == name) & (study.attacked.attack == study.attacked.attack.iloc[-1])]
    rows = rows[rows.epsilon == TOLD[1]]
    targeted = study.name == "sentences"
    goal = victim.Goal(model.encode(list(rows.target if targeted else rows.label)), targeted)
    with torch.no_grad():
        before = model.loss(batch(*map(study.clips.load, rows.clip_id)), goal)
        after = model.loss(batch(*map(study.made, rows.key)), goal)
    assert (after < before).float().mean() >= 0.9


def test_detectors_see_each_version_once_and_validation_clips_have_no_controls(study):
    detected = study.detected
    assert not detected.key.duplicated().any()
    benign = detected[detected.version == "benign"]
    held_out = study.clips.table[study.clips.table.split != "train"].clip_id
    assert sorted(zip(benign.victim, benign.clip_id)) == sorted(itertools.product(STUDIES[study.name], held_out))
    assert set(detected.key[detected.version == "adversarial"]) == {f"{key}/adversarial" for key in study.attacked.key}
    test = study.attacked.key[study.attacked.split == "test"]
    for version in ("noise", "transplant"):
        assert set(detected.key[detected.version == version]) == {f"{key}/{version}" for key in test}
        assert set(detected.split[detected.version == version]) == {"test"}


def test_each_victim_decides_on_its_own_clips_as_in_the_sweep(study):
    detected = study.detected
    adversarial = detected[detected.version == "adversarial"]
    assert (adversarial.decision == adversarial.adversarial_prediction).all()
    clean = adversarial.drop_duplicates(["victim", "clip_id"])
    benign = detected.loc[detected.version == "benign", ["victim", "clip_id", "decision", "decision_confidence"]]
    benign = benign.merge(
        clean[["victim", "clip_id", "clean_prediction", "clean_confidence"]], on=["victim", "clip_id"]
    )
    assert len(benign) == len(clean)
    assert (benign.decision == benign.clean_prediction).all()
    if study.name == "words":
        assert np.abs(adversarial.decision_confidence - adversarial.confidence.astype(float)).max() < 1e-4
        assert np.abs(benign.decision_confidence - benign.clean_confidence.astype(float)).max() < 1e-4
    controls = detected[detected.version.isin(["noise", "transplant"])]
    assert controls.decision_confidence.between(0, 1).all() and (controls.decision != "").any()
    assert detected[list(DETECTORS)].notna().all(axis=None)


def test_scores_are_those_of_each_clip_by_itself(study):
    network = victim.load(
        study.folder / "models/sentences/syncnet_mouth/synchrony", network="syncnet_mouth", device="cpu"
    ).module
    chosen = study.detected[study.detected.version.isin(["benign", "adversarial"])]
    for row in chosen[chosen.index % 5 == 0].itertuples():
        clip = study.clips.load(row.clip_id) if row.version == "benign" else study.made(row.source)
        video, audio = clip["video"].astype(float), clip["audio"].astype(float)
        assert row.video_values == video.size
        assert row.frame_difference == pytest.approx(-np.abs(np.diff(video, axis=0)).mean(), rel=1e-4)
        loudness = np.sqrt(np.square(audio[: len(audio) // 400 * 400].reshape(-1, 400)).mean(1))
        assert row.quietest_moment == pytest.approx(-loudness.min(), rel=1e-4)
        with torch.no_grad():
            found = lip_sync.of_clips(network, batch(clip), shifts=3, pairs="padded")
        assert row.synchrony == pytest.approx(found.confidence.item(), abs=1e-4)
        assert row.synchrony_offset == found.offset.item()
        assert row.synchrony_distance == pytest.approx(found.distance.item(), abs=1e-4)


def test_controls_are_as_loud_as_the_attack_and_not_the_attack(study):
    plan = detect._plan(study.rows, study.clips.table)
    # Of one attack on clips of different lengths.
    plan = plan[(plan.split == "test") & (plan.epsilon == TOLD[1]) & (plan.victim == STUDIES[study.name][0])]
    plan = plan[(plan.attack == plan.attack.iloc[-1]) & (plan.target == plan.target.iloc[-1])]
    assert plan.clip_id.map(study.clips.table.set_index("clip_id").duration_s).nunique() > 1
    assert set(plan.lender) == set(plan.key) and (plan.lender != plan.key).all()
    versions, again = (list(detect._versions(plan, study.clips, study.sweep, "cpu")) for _ in range(2))
    assert [table.version.iloc[0] for table, _ in versions] == ["adversarial", "noise", "transplant"]
    for (table, inputs), (_, repeated) in zip(versions, again):
        assert all(torch.equal(value, repeated[name]) for name, value in inputs.items())
        for number, row in enumerate(table.itertuples()):
            clean, own, lent = study.clips.load(row.clip_id), study.delta(row.source), study.delta(row.lender)
            for name, unit in UNIT.items():
                length, shared = len(clean[name]), min(len(clean[name]), len(lent[name]))
                added = (inputs[name][number, :length].numpy() - clean[name]) / unit
                assert inputs[name][number, length:].count_nonzero() == 0
                if row.version == "adversarial":
                    assert np.array_equal(added, own[name])
                elif row.version == "noise":
                    assert np.array_equal(np.sort(np.abs(added), axis=None), np.sort(np.abs(own[name]), axis=None))
                    # Neither with its signs nor where it was loud.
                    for one, other in ((added, own[name]), (np.abs(added), np.abs(own[name]))):
                        centred = [values - values.mean() for values in (one.ravel(), other.ravel())]
                        assert abs(np.dot(*centred)) <= 0.2 * np.dot(centred[1], centred[1])
                else:
                    assert np.array_equal(added[:shared], lent[name][:shared]) and not added[shared:].any()


def test_controls_keep_to_the_range_of_the_files(study):
    clean = {"video": np.full((2, 4, 4), 250, "u1"), "audio": np.full(1280, 0.99, "f")}
    delta = {"video": np.full((2, 4, 4), 9, "f"), "audio": np.full(1280, 0.02, "f")}
    made = detect._disturbed(clean, delta)
    assert made["video"].max() == 255 and made["audio"].max() == np.float32(1 - 2**-15)
    assert detect._disturbed(clean, {name: -200 * one for name, one in delta.items()})["video"].min() == 0


def test_twice_gives_equal_bytes(study, tmp_path, monkeypatch):
    for part in ("data", "models", "params.yaml"):
        (tmp_path / part).symlink_to(study.folder / part)
    parts = [study.data / f"{part}/{study.name}" for part in ("sweeps", "detections")]
    before = [{file.name: file.read_bytes() for file in part.iterdir()} for part in parts]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    sweep.main(study.name)
    detect.main(study.name)
    assert [{file.name: file.read_bytes() for file in part.iterdir()} for part in parts] == before


def test_only_what_is_kept_is_detected(done, tmp_path, monkeypatch):
    """Pictures alone are attacked, in steps of a quarter of a grey level, as at the paper's scale."""
    changed = json.loads(json.dumps(PARAMS))
    changed["sweeps"]["words"] |= {"kept_clips_per_label": 1, "epsilons": [{"video": 4}]}
    changed["sweeps"]["words"]["unit"]["video"] = 0.25
    changed["sweeps"]["words"]["attacks"].pop("fgsm")
    changed["sweep_items"]["words"]["victims"] = ["first"]
    for part in ("data/words/mouths", "models"):
        shutil.copytree(done / part, tmp_path / part)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    sweep.main("words")
    few = Study(tmp_path, "words", detected=False)
    assert (few.rows.linf_audio == 0).all() and (few.attacked.linf_video == 1).all()
    assert len(few.attacked) == 10
    # What was made of the others was rounded too: a sum of ones.
    assert (few.attacked.l2_video**2).tolist() == pytest.approx((few.attacked.l2_video**2).round().tolist(), abs=1e-3)
    detect.main("words")
    detected = clip_table.read("data/words/detections/words/clips.csv")
    attacked = detected[detected.version == "adversarial"]
    assert attacked.label.value_counts().to_dict() == {"a": 1, "b": 1} and set(attacked.split) == {"test"}
    for row in attacked.itertuples():
        assert row.l2_video**2 == pytest.approx(np.abs(few.delta(row.source)["video"]).sum())


def test_a_clip_of_each_can_be_seen_and_heard(done, monkeypatch):
    monkeypatch.chdir(done)
    listen.main("audiovisual")
    folder = done / "reports/audiovisual/listening"
    table = pd.read_csv(folder / "listening.csv", keep_default_na=False)
    sounds = ("benign", "attacked", "added")
    assert list(zip(table["item"], table.sound)) == list(itertools.product(STUDIES, sounds))
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert set(files) == {"listening.csv"} | {
        f"{stem}.{kind}" for stem in table.stem for kind in ("wav", "png", "webm")
    }
    for row in table.itertuples():
        command = (binary(), "-v", "error", "-i", folder / row.video, "-f", "rawvideo", "-pix_fmt", "gray", "-")
        pictures = subprocess.run(command, capture_output=True, check=True).stdout
        enlarged = np.frombuffer(pictures, "u1").reshape(-1, listen.ENLARGED * CROP, listen.ENLARGED * CROP)
        clip = shards.ShardSet(done / "data" / row.item / "mouths").load(row.clip_id)["video"]
        assert len(enlarged) == len(clip)
        if row.sound == "benign":
            means = enlarged.reshape(len(clip), CROP, listen.ENLARGED, CROP, listen.ENLARGED).mean((2, 4))
            assert np.corrcoef(means.ravel(), clip.ravel())[0, 1] > 0.8
    listen.main("audiovisual")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files


def test_a_target_that_cannot_be_spelt_is_one_line(done, tmp_path, monkeypatch):
    changed = json.loads(json.dumps(PARAMS))
    changed["sweeps"]["sentences"]["targets"] = ["ab be"]
    for part in ("data", "models"):
        (tmp_path / part).symlink_to(done / part)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    with pytest.raises(UserError, match=r"the text 'ab be': expected characters of ' abn'; found 'e'"):
        sweep.main("sentences")
