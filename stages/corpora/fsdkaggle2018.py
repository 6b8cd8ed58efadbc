"""Corpora: reads FSDKaggle2018 (Fonseca et al., DCASE 2018), 41 kinds of sound event, as published on Zenodo."""

from pathlib import Path

import pandas as pd

from stages.corpora.csv_lists import flags, read_list
from stages.frame import clip_table
from stages.frame.errors import UserError
from stages.frame.parameters import Share

LABELS = (
    "Acoustic_guitar",
    "Applause",
    "Bark",
    "Bass_drum",
    "Burping_or_eructation",
    "Bus",
    "Cello",
    "Chime",
    "Clarinet",
    "Computer_keyboard",
    "Cough",
    "Cowbell",
    "Double_bass",
    "Drawer_open_or_close",
    "Electric_piano",
    "Fart",
    "Finger_snapping",
    "Fireworks",
    "Flute",
    "Glockenspiel",
    "Gong",
    "Gunshot_or_gunfire",
    "Harmonica",
    "Hi-hat",
    "Keys_jangling",
    "Knock",
    "Laughter",
    "Meow",
    "Microwave_oven",
    "Oboe",
    "Saxophone",
    "Scissors",
    "Shatter",
    "Snare_drum",
    "Squeak",
    "Tambourine",
    "Tearing",
    "Telephone",
    "Trumpet",
    "Violin_or_fiddle",
    "Writing",
)
TRAIN_LIST = "FSDKaggle2018.meta/train_post_competition.csv"
TEST_LIST = "FSDKaggle2018.meta/test_post_competition_scoring_clips.csv"
TRAIN_AUDIO = "FSDKaggle2018.audio_train"
TEST_AUDIO = "FSDKaggle2018.audio_test"


def read(root: Path, *, validation_share: Share) -> pd.DataFrame:
    """The clip table: 9473 training clips (3710 verified) and 1600 test clips in the published corpus.

    Test rows marked `Ignored` were never scored and are left out. The audio files themselves are not looked at.

    Args:
        root: the folder that holds `FSDKaggle2018.meta` and the two audio folders.
        validation_share: share of each label's verified training clips that becomes the validation split.

    Raises:
        UserError: a missing folder, list or column, or a label that is none of the 41.
    """
    root = Path(root)
    train = read_list(root / TRAIN_LIST, ["fname", "label", "manually_verified"])
    test = read_list(root / TEST_LIST, ["fname", "label", "usage"])
    test = test[test.usage != "Ignored"]
    table = pd.concat(
        [
            _rows(root, TRAIN_LIST, TRAIN_AUDIO, train).assign(
                split="train", verified=flags(train.manually_verified, root / TRAIN_LIST)
            ),
            # All scored test clips were verified by the corpus's authors.
            _rows(root, TEST_LIST, TEST_AUDIO, test).assign(split="test", verified=True),
        ],
        ignore_index=True,
    )
    return clip_table.checked(clip_table.hold_out(table, validation_share), str(root))


def _rows(root: Path, source: str, audio: str, rows: pd.DataFrame) -> pd.DataFrame:
    for number, name, label in zip(rows.index, rows.fname, rows.label):
        where = f"{root / source}, line {number}"
        clip_table.check_file(name, where)
        if label not in LABELS:
            raise UserError(
                where,
                "one of the 41 labels of FSDKaggle2018",
                f"{label!r} for {name}",
                "correct the list, or read a corpus of your own with `folder`",
            )
    if not (root / audio).is_dir():
        raise UserError(root / audio, "the folder of audio files", "no such folder", "see data/README.md")
    return pd.DataFrame(
        {
            "clip_id": rows.fname.map(lambda name: Path(name).stem),
            "file": audio + "/" + rows.fname,
            "label": rows.label,
            "text": "",
            "fold": "",
            "speaker": "",
        }
    )
