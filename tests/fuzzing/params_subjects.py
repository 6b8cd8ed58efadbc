"""params.yaml of the fuzzing test: a small corpus prepared by it, and what the verbs say of each study's section."""

import importlib
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from stages.frame.errors import UserError
from tests.fuzzing.model_subjects import check_set
from tests.fuzzing.subject import ENCODED, Subject

PARAMS = Path(__file__).parents[2] / "params.yaml"


def _make_corpus(folder: Path) -> None:
    import soundfile

    for number in range(3):
        soundfile.write(folder / f"{number}.wav", np.linspace(-0.5, 0.5, 400 + number), 8000)
    corpus = {
        "reader": "folder",
        "root": ".",
        "skip_unreadable": False,
        "parameters": {"validation_share": 0.3, "csv": "list.csv", "speaker_independent": False},
        "decoder": "audio",
        "decoding": {"recorded_at_hz": 8000, "sample_rate_hz": 4000, "average_channels": False},
    }
    (folder / "list.csv").write_text("file,label,split\n0.wav,cat,train\n1.wav,dog,validation\n2.wav,cat,test\n")
    (folder / "params.yaml").write_text(yaml.safe_dump({"own": {"corpora": {"audio": corpus}}}))


def _read_prepared(folder: Path) -> dict[str, Any]:
    from stages import prepare
    from stages.frame import shards

    os.environ |= {"SCRATCH": str(folder.parent / "scratch"), "DEVICE": "cpu"}
    os.chdir(folder)
    shutil.rmtree("data", ignore_errors=True)
    prepare.main("own", "audio")
    clips = shards.ShardSet("data/own/audio")
    return {"arrays": {key: dict(clips.load(key)) for key in clips.table.key}, "about": clips.about}


def _make_params(folder: Path, *, study: str) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump({study: yaml.safe_load(PARAMS.read_text())[study]}))


def _read_params(folder: Path, *, study: str, calls: list[tuple[str, ...]]) -> list[str]:
    """What each verb says: as nothing of the study is there but params.yaml, what is missing."""
    os.environ |= {"SCRATCH": str(folder.parent / "scratch"), "DEVICE": "cpu"}
    os.chdir(folder)
    told = []
    for verb, *names in calls:
        try:
            importlib.import_module(f"stages.{verb}").main(study, *names)
        except UserError as error:
            told.append(str(error))
        else:
            told.append("")
    return told


def _check_told(found: list[str], whole: list[str]) -> None:
    assert all(text.isprintable() for text in found)


def _params(study: str, *calls: tuple[str, ...]) -> Subject:
    make, read = partial(_make_params, study=study), partial(_read_params, study=study, calls=calls)
    return Subject(make, ("params.yaml",), read, frozenset(), _check_told)


SUBJECTS = {
    "prepared": Subject(_make_corpus, ("params.yaml",), _read_prepared, ENCODED, check_set),
    "params_events": _params(
        "events",
        ("prepare", "audio"),
        ("train", "vgg13", ""),
        ("attack", "vgg13-deepfool"),
        ("score", "every", "vgg13-deepfool"),
        ("listen",),
    ),
    "params_emotion": _params(
        "emotion",
        ("prepare", "audio"),
        ("featurise", "log_mel"),
        ("train", "vgg16", "similarity"),
        ("attack", "cnn4"),
        ("score", "inverted"),
        ("listen",),
    ),
    "params_transfer": _params(
        "transfer",
        ("pretrain", "wav2vec"),
        ("pretrain", "bert"),
        ("featurise", "lld"),
        ("train", "bimodal", ""),
        ("attack", "speech_heads"),
    ),
    "params_speech": _params(
        "speech", ("mix", "noisy"), ("train", "u_net_attention", ""), ("attack", "gradient"), ("score", "attacked")
    ),
    "params_audiovisual": _params(
        "audiovisual", ("prepare", "sentences"), ("train", "sync_clean", ""), ("attack", "words"), ("detect", "words")
    ),
}
