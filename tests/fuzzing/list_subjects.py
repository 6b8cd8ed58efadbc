"""Lists of the fuzzing test: a small corpus in the layout of each reader, with empty recordings."""

import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from tests.fuzzing.subject import ENCODED, Subject, written


def _make_folder(folder: Path) -> None:
    rows = (
        f"{'a' if n % 2 else 'b/c'}{n}.wav,{'owl' if n % 3 else 'bärk, loud'!r},{'s' + str(n // 4)},said {n},{n % 2}"
        for n in range(12)
    )
    text = "file,label,speaker,text,verified\n" + "\n".join(rows).replace("'", '"') + "\n"
    written(folder, {"clips.csv": text})


def _make_fsdkaggle(folder: Path) -> None:
    from stages.corpora import fsdkaggle2018

    train = "".join(f"{n:08x}.wav,Flute,{int(n < 6)},1,Creative Commons 0\n" for n in range(10))
    test = "000000ff.wav,Bark,Public,1,Attribution\n00000100.wav,None,Ignored,2,Attribution\n"
    written(
        folder,
        {
            fsdkaggle2018.TRAIN_LIST: "fname,label,manually_verified,freesound_id,license\n" + train,
            fsdkaggle2018.TEST_LIST: "fname,label,usage,freesound_id,license\n" + test,
            f"{fsdkaggle2018.TRAIN_AUDIO}/00000000.wav": "",
            f"{fsdkaggle2018.TEST_AUDIO}/000000ff.wav": "",
        },
    )


def _make_grid(folder: Path) -> None:
    from stages.corpora import grid

    for speaker in ("s1", "s2", "s9"):
        for name in ("bbaf2n", "lgwtzn", "pwbk3a"):
            words = ["sil", *grid.sentence(name, name).split(), "sil"]
            lines = "".join(f"{10_000 * n} {10_000 * (n + 1)} {word}\n" for n, word in enumerate(words))
            written(folder, {f"{speaker}/video/{name}.mpg": "", f"{speaker}/align/{name}.align": lines})


_EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\t{0}_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()

[10.0100 - 11.3925]\t{0}_M000\texc\t[2.5000, 2.5000, 2.5000]
[19.0 - 20.0]\t{0}_F002\txxx\t[2.5000, 2.5000, 2.5000]
[23.0 - 24.0]\t{0}_M001\tang\t[2.5000, 2.5000, 2.5000]
[25.0 - 26.0]\t{0}_M002\tsad\t[2.5000, 2.5000, 2.5000]
"""
_TRANSCRIPTION = """{0}_F000 [006.2901-008.2357]: Excuse me.
{0}_M000 [010.0100-011.3925]: Yeah. [LAUGHTER]
M: Hm-hmm.
{0}_M001 [023.0000-024.0000]: Get out.
{0}_M002 [025.0000-026.0000]: I miss him.
"""


def _make_iemocap(folder: Path) -> None:
    for session in range(1, 4):
        dialog, place = f"Ses0{session}F_impro01", f"Session{session}"
        texts = {
            f"{place}/dialog/EmoEvaluation/{dialog}.txt": _EVALUATION.format(dialog),
            f"{place}/dialog/transcriptions/{dialog}.txt": _TRANSCRIPTION.format(dialog),
        }
        wavs = {
            f"{place}/sentences/wav/{dialog}/{dialog}_{own}.wav": "" for own in ("F000", "F002", "M000", "M001", "M002")
        }
        written(folder, texts | wavs)


def _make_lrw(folder: Path) -> None:
    rows = []
    for word in ("ABOUT", "YOUNG"):
        for part in ("train", "val", "test"):
            name = f"lipread_mp4/{word}/{part}/{word}_00001"
            rows.append(f"{name}.mp4,s{len(rows)}\n")
            text = "Disk reference: 6074\nChannel: BBC One\nClip start: 21:38\nDuration: 0.53 seconds\n"
            written(folder, {f"{name}.mp4": "", f"{name}.txt": text})
    written(folder, {"speakers.csv": "file,speaker\n" + "".join(rows)})


def _make_speech(folder: Path) -> None:
    for speaker in range(1, 5):
        chapter = f"LibriSpeech/train-clean-100/{speaker}/7/{speaker}-7"
        names = [f"{speaker}-7-{number:04d}" for number in range(3)]
        written(folder, {f"{chapter}.trans.txt": "".join(f"{name} IT'S ME\n" for name in names)})
        written(folder, {f"{Path(chapter).parent}/{name}.flac": "" for name in names})
    kinds = ("DKITCHEN", "NFIELD", "PRESTO", "TBUS")
    written(folder, {f"DEMAND/{kind}/ch0{number}.wav": "" for kind in kinds for number in (1, 2)})


def _make_emovo(folder: Path) -> None:
    names = (
        f"{code}-{who}-b{n}" for code in ("neu", "gio") for who in ("f1", "f2", "f3", "m1", "m2", "m3") for n in (1, 2)
    )
    written(folder, {f"{name}.wav": "sound" for name in names})


def _read_corpus(folder: Path, *, reader: str, settings: dict[str, Any]) -> list[Any]:
    from stages.frame import clip_table
    from stages.frame.modules import find

    table = clip_table.checked(find("corpora", reader, "read", where="reader")(folder, **settings), str(folder))
    return [list(table.columns), table.to_numpy().tolist()]


# Control characters, halves of others, ends of lines.
UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


def _check_corpus(found: list[Any], whole: list[Any]) -> None:
    table = pd.DataFrame(found[1], columns=found[0])
    assert found[0] == whole[0] and len(table)
    assert table.clip_id.is_unique and table.file.is_unique
    assert set(table.split) <= {"train", "validation", "test"} and table.verified.map(type).eq(bool).all()
    for column in table.columns.drop("verified"):
        for cell in table[column]:
            assert isinstance(cell, str) and cell == cell.strip(), (column, cell)
            assert not {unicodedata.category(one) for one in cell} & UNSEEN, (column, cell)
    for file in table.file:
        assert not Path(file).is_absolute() and ".." not in Path(file).parts and "\\" not in file, file


def _corpora(make: Callable[[Path], None], reader: str, *files: str, **settings: Any) -> Subject:
    return Subject(make, files, partial(_read_corpus, reader=reader, settings=settings), ENCODED, _check_corpus, True)


SHARES = {"validation_share": 0.2, "test_share": 0.3}
SUBJECTS = {
    "folder": _corpora(_make_folder, "folder", "clips.csv", validation_share=0.25),
    "fsdkaggle2018": _corpora(_make_fsdkaggle, "fsdkaggle2018", "*.csv", validation_share=0.25),
    "grid": _corpora(_make_grid, "grid", "*.align", partition="paper", **SHARES),
    "iemocap": _corpora(_make_iemocap, "iemocap", "*.txt", expected_counts=None),
    "lrw": _corpora(_make_lrw, "lrw", "*.txt", "*.csv", words=None, expected_words=None),
    "italian_emotion": _corpora(_make_emovo, "italian_emotion", "*.wav", partition="by_speaker", **SHARES),
    "noisy_speech": _corpora(
        *(_make_speech, "noisy_speech", "*.txt"),
        partition="by_speaker",
        validation_share=0.2,
        test_share=0.2,
        test_noises=2,
        noise_channels=2,
    ),
}
