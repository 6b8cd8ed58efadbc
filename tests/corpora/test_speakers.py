"""The deal of speakers to splits over many corpus sizes, and the two checks on tables with one fault each."""

import pandas as pd
import pytest

from stages.corpora.speakers import check_speaker_independent, deal
from stages.frame.clip_table import SPLITS, check_labels_everywhere
from stages.frame.errors import UserError


def genders(women: int, men: int) -> dict[str, str]:
    return {f"{gender}{n}": gender for gender, count in (("f", women), ("m", men)) for n in range(1, count + 1)}


def in_split(split: dict[str, str], name: str) -> list[str]:
    return sorted(speaker[0] for speaker in split if split[speaker] == name)


@pytest.mark.parametrize(
    ("women", "men", "dealt"),
    [
        (2, 2, ["fm", "f", "m"]),
        (3, 3, ["ffm", "m", "fm"]),
        (8, 8, ["ffffmmmm", "ffm", "ffmmm"]),
        (0, 3, ["m", "m", "m"]),
    ],
)
def test_deal(women, men, dealt):
    split = deal(genders(women, men), "here", validation_share=0.2, test_share=0.3)
    assert ["".join(in_split(split, name)) for name in SPLITS] == dealt


@pytest.mark.parametrize("women", range(0, 25, 3))
@pytest.mark.parametrize("men", range(3, 48, 4))
def test_deal_gives_each_split_its_share_of_speakers_and_of_women(women, men):
    split = deal(genders(women, men), "here", validation_share=0.2, test_share=0.3)
    assert split.keys() == genders(women, men).keys()
    for name, share in zip(SPLITS, (0.5, 0.2, 0.3)):
        dealt = in_split(split, name)
        assert dealt
        assert abs(len(dealt) - share * (women + men)) <= 1
        assert abs(dealt.count("f") - len(dealt) * women / (women + men)) <= 1


def test_deal_does_not_depend_on_the_order_of_the_speakers():
    speakers, shares = genders(8, 8), {"validation_share": 0.25, "test_share": 0.25}
    assert deal(speakers, "here", **shares) == deal(dict(reversed(speakers.items())), "here", **shares)


def test_no_share_still_gives_a_speaker():
    split = deal(genders(5, 5), "here", validation_share=0.0, test_share=0.0)
    assert len(in_split(split, "validation")) == len(in_split(split, "test")) == 1


@pytest.mark.parametrize(("women", "men", "share"), [(1, 1, 0.1), (0, 0, 0.1), (5, 5, 0.5)])
def test_no_speaker_left_to_train_on(women, men, share):
    with pytest.raises(UserError, match=f"here: expected at least one speaker beside .* found {women + men} speakers"):
        deal(genders(women, men), "here", validation_share=share, test_share=share)


def clips(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["speaker", "label", "split"])


WHOLE = [("ann", "owl", "train"), ("ann", "owl", "train"), ("bob", "owl", "validation"), ("cid", "owl", "test")]


def test_whole_table_passes():
    check_speaker_independent(clips(*WHOLE, ("", "owl", "train"), ("", "owl", "test")), "here")
    check_labels_everywhere(clips(*WHOLE), "here")


def test_speaker_in_two_splits():
    with pytest.raises(UserError, match="here: expected each speaker in one split; found 'ann' in test and train; "):
        check_speaker_independent(clips(*WHOLE, ("ann", "owl", "test")), "here")


@pytest.mark.parametrize("split", SPLITS)
def test_label_without_clips_in_a_split(split):
    rest = [row for row in WHOLE if row[2] != split]
    owls_only = clips(*WHOLE, *((speaker, "cat", split) for speaker, _, split in rest))
    with pytest.raises(
        UserError, match=f"here: expected clips of each label in each split; found none of 'cat' in {split}"
    ):
        check_labels_everywhere(owls_only, "here")
    with pytest.raises(UserError, match=f"found none of 'owl' in {split}"):
        check_labels_everywhere(clips(*rest), "here")
