"""The two partitions of DEMoS: shipped csv, the paper's counts on the real list, brute force on small corpora."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.corpora import demos_partition, italian_emotion
from stages.frame.clip_table import SPLITS
from stages.frame.errors import UserError

LIST = Path(__file__).parents[3] / "shared" / "corpora" / "lists" / "demos_files.txt"


PARTITIONS = ("paper", "balanced")
WOMEN = {"paper": (9, 7, 7), "balanced": (8, 8, 7)}


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    return pd.read_csv(italian_emotion.PARTITIONS)


@pytest.fixture
def published() -> Path:
    if not LIST.is_file():
        pytest.skip("the published corpus's list is not on this machine")
    return LIST


@pytest.mark.parametrize("partition", PARTITIONS)
def test_shipped_partitions_have_the_papers_speakers(shipped, partition):
    women, men = pd.crosstab(shipped.speaker.str[0], shipped[partition])[list(SPLITS)].to_numpy()
    assert shipped.speaker.is_unique
    assert tuple(women + men) == (24, 22, 22)
    assert tuple(women) == WOMEN[partition]


def test_shipped_partitions_have_the_same_test_part(shipped):
    assert ((shipped.paper == "test") == (shipped.balanced == "test")).all()


def test_women_of_the_balanced_partition_are_as_near_proportion_as_can_be():
    splits = [women for women in itertools.product(range(24), repeat=3) if sum(women) == 23]
    deviations = {
        women: sum(abs(68 * own - 23 * size) for own, size in zip(women, (24, 22, 22))) / 68 for women in splits
    }
    nearest = [women for women in splits if deviations[women] == min(deviations.values())]
    assert nearest == [(8, 7, 8), WOMEN["balanced"]]
    assert deviations[WOMEN["balanced"]] == pytest.approx(1.12, abs=0.005)
    assert deviations[WOMEN["paper"]] == pytest.approx(1.76, abs=0.005)


def test_the_papers_counts_add_up():
    assert demos_partition.CLIPS.sum(axis=1).tolist() == [3024, 3024, 3317]
    assert demos_partition.CLIPS.sum().tolist() == [1477, 1678, 1156, 1129, 1395, 1530, 1000]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_shipped_partitions_meet_the_papers_counts_on_the_published_list(shipped, published, partition):
    names = [name.split("_") for name in published.read_text().split() if not name.startswith(("f_", "m_"))]
    clips = pd.DataFrame({"speaker": [name[1] + name[2] for name in names], "code": [name[3][:3] for name in names]})
    counted = clips.merge(shipped, on="speaker", validate="many_to_one").groupby([partition, "code"]).size().unstack()
    codes = ["rab", "dis", "pau", "col", "gio", "tri", "sor"]
    assert counted.loc[list(SPLITS), codes].to_numpy().tolist() == demos_partition.CLIPS.to_numpy().tolist()


def test_tool_writes_the_shipped_partitions(published, capsys):
    demos_partition.main(published)
    assert capsys.readouterr().out == italian_emotion.PARTITIONS.read_text()


def by_brute_force(counts: pd.DataFrame, speakers: tuple, clips: np.ndarray) -> set[tuple]:
    """All assignments that meet the counts and never go back to an earlier split among the women, nor among the men."""
    ordered = sorted(counts.index, key=lambda speaker: (speaker[0], int(speaker[1:])))
    rows, women = counts.loc[ordered].to_numpy(), sum(speaker[0] == "f" for speaker in ordered)
    found = set()
    for parts in itertools.product(range(3), repeat=len(ordered)):
        inside = np.equal.outer(range(3), parts)
        forwards = sorted(parts[:women]) == list(parts[:women]) and sorted(parts[women:]) == list(parts[women:])
        if forwards and (inside.sum(axis=1) == speakers).all() and (inside @ rows == clips).all():
            found.add(parts)
    return found


@pytest.mark.parametrize(("seed", "highest", "at_least"), [(0, 20, 1), (1, 20, 1), (2, 2, 1), (3, 1, 2)])
def test_search_finds_what_brute_force_finds(seed, highest, at_least):
    rng = np.random.default_rng(seed)
    women, men = [f"f{n:02}" for n in (1, 5, 8, 10)], [f"m{n}" for n in (2, 3, 9, 11, 12)]
    labels = ["anger", "fear"]
    counts = pd.DataFrame(rng.integers(0, highest, (9, 2)), rng.permutation([*women, *men]), labels)
    clips = pd.DataFrame(
        [counts.loc[names].sum() for names in (women[:1] + men[:3], women[1:3] + men[3:4], women[3:] + men[4:])], SPLITS
    )
    found = demos_partition.consecutive_partitions(counts, (4, 3, 2), clips)
    assert {tuple(map(SPLITS.index, split)) for split in found} == by_brute_force(counts, (4, 3, 2), clips.to_numpy())
    assert len(found) >= at_least
    assert not demos_partition.consecutive_partitions(counts, (4, 3, 2), clips + 1)


@pytest.mark.parametrize(("seed", "highest"), [(0, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("women_in_train", [2, 3])
def test_same_test_partitions_are_those_that_brute_force_finds(seed, highest, women_in_train):
    rng = np.random.default_rng(seed)
    split = pd.Series(["train"] * 6 + ["validation"] * 5 + ["test"] * 3, [f"{'fm'[n % 2]}{n:02}" for n in range(14)])
    split = split.loc[rng.permutation(split.index)]
    counts = pd.DataFrame(rng.integers(0, highest + 1, (14, 2)), sorted(split.index), ["anger", "fear"])
    wanted = counts.groupby(split).sum().loc["train"]
    expected = {
        frozenset(train)
        for train in itertools.combinations(split.index[split != "test"], 6)
        if sum(speaker[0] == "f" for speaker in train) == women_in_train
        and counts.loc[list(train)].sum().equals(wanted)
    }
    found = demos_partition.same_test_partitions(counts, split, women_in_train)
    assert expected
    assert len(found) == len(expected)
    assert {frozenset(other.index[other == "train"]) for other in found} == expected
    assert all((other.index == split.index).all() and set(other) == set(SPLITS) for other in found)
    assert all(((other == "test") == (split == "test")).all() for other in found)


def test_most_balanced_partition():
    speakers = [f"{gender}{n}" for gender in "fm" for n in range(6)]
    counts = pd.DataFrame({"anger": 2, "fear": 1}, speakers)
    # Two women are each part's share. Absolute deviations would not tell the first from the second.
    farthest, farther, later, earlier = (
        pd.Series([SPLITS["abc".index(part)] for part in women + men], speakers)
        for women, men in (("aaaacc", "bbbbcc"), ("aaaabc", "bbbccc"), ("bbaacc", "aabbcc"), ("aabbcc", "aabbcc"))
    )
    assert demos_partition.most_balanced([farthest, farther], counts) is farther
    assert demos_partition.most_balanced([farthest, farther, later], counts) is later
    assert demos_partition.most_balanced([farthest, farther, later, earlier], counts) is earlier


def test_part_of_the_corpus_has_no_such_partition(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("NP_f_01_col07b.wav\nm_02_neu01a.wav\nPR_m_02_rab01a.wav\n")
    assert demos_partition.class_counts(path).to_dict() == {
        "anger": {"f01": 0, "m02": 1},
        "guilt": {"f01": 1, "m02": 0},
    }
    with pytest.raises(UserError, match=r"list.txt: expected exactly one partition .* found 0 and 0; give the list"):
        demos_partition.main(path)


def test_no_list(tmp_path):
    with pytest.raises(UserError, match=r"list\.txt: expected a text file; found No such file"):
        demos_partition.main(tmp_path / "list.txt")
