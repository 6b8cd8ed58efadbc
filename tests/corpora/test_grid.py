"""GRID's layouts with few speakers, a real excerpt, and copies with one fault each."""

from pathlib import Path

import pytest

from stages.corpora import grid
from stages.frame import clip_table, parameters
from stages.frame.errors import UserError

REAL = Path(__file__).parents[3] / "shared" / "corpora" / "GRID"
PAPER = {"partition": "paper", "validation_share": 0.2, "test_share": 0.3}
WITHIN = PAPER | {"partition": "within_speakers"}
NAMES = ("bbaf2n", "lgwtzn", "pwbk3a", "sgwx1s", "srbj5p")
ALIGN = """0 14750 sil
14750 19750 bin
19750 25000 blue
25000 25500 sp
25500 28250 at
28250 33000 f
33000 39500 two
39500 46500 now
46500 74500 sil
"""


def written(root: Path, name: str, *, video: str = "{speaker}/video", align: str = "{speaker}/align") -> Path:
    """Writes the video (empty) and the align file of a clip, such as s1/bbaf2n."""
    speaker, stem = name.split("/")
    words = ["sil", *grid.sentence(stem, name).split(" "), "sil"]
    lines = "".join(f"{10_000 * n} {10_000 * (n + 1)} {word}\n" for n, word in enumerate(words))
    for folder, suffix, content in ((video, ".mpg", ""), (align, ".align", lines)):
        path = root / folder.format(speaker=speaker) / (stem + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Five clips of one speaker of each of the paper's splits."""
    for speaker in ("s1", "s2", "s9"):
        for name in NAMES:
            written(tmp_path, f"{speaker}/{name}")
    return tmp_path


def test_rows(small):
    (small / "s2" / "align" / "bbaf2n.align").write_text(ALIGN)
    table = grid.read(small, **PAPER).set_index("clip_id")
    assert table.loc["s2-bbaf2n"].to_dict() == {
        "file": "s2/video/bbaf2n.mpg",
        "label": "",
        "text": "bin blue at f two now",
        "speaker": "s2",
        "split": "test",
        "fold": "",
        "verified": True,
        "word_times": "bin 0.59 0.79; blue 0.79 1; at 1.02 1.13; f 1.13 1.32; two 1.32 1.58; now 1.58 1.86",
    }
    assert table.loc["s1-lgwtzn", "text"] == "lay green with t zero now"
    assert table.groupby("speaker").split.unique().map(list).to_dict() == {
        "s1": ["train"],
        "s2": ["test"],
        "s9": ["validation"],
    }


def test_the_papers_splits_have_16_7_and_10_of_33_speakers():
    assert [len(grid.PAPER[split]) for split in clip_table.SPLITS] == [16, 7, 10]
    assert sorted(sum(grid.PAPER.values(), ())) == [n for n in range(1, 35) if n != 21]


@pytest.mark.parametrize(
    "folders",
    [
        {"video": "{speaker}"},
        {"video": "{speaker}", "align": "align/{speaker}"},
        {"video": "video/{speaker}/video/mpg_6000", "align": "alignments/{speaker}/align"},
    ],
)
def test_other_layouts(tmp_path, folders):
    for speaker in ("s1", "s2", "s9"):
        written(tmp_path, f"{speaker}/bbaf2n", **folders)
    table = grid.read(tmp_path, **PAPER)
    assert table.clip_id.tolist() == ["s1-bbaf2n", "s2-bbaf2n", "s9-bbaf2n"]
    assert all((tmp_path / file).is_file() for file in table.file)


def test_what_is_passed_over_and_other_suffixes(small):
    (small / "s1" / "align" / "bbaf3n.align").write_text("0 74500 sil\n")
    (small / "s1" / "video" / "._bbaf2n.mpg").touch()
    (small / "s1" / "align" / "._bbaf2n.align").touch()
    (small / "s1" / "readme.txt").touch()
    (small / "s1" / "video" / "bbaf2n.mpg").rename(small / "s1" / "video" / "bbaf2n.MP4")
    table = grid.read(small, **PAPER).set_index("clip_id")
    assert len(table) == 3 * len(NAMES)
    assert table.file["s1-bbaf2n"] == "s1/video/bbaf2n.MP4"


def test_a_byte_order_mark_and_any_kind_of_video_are_read(small):
    path = small / "s2" / "align" / "bbaf2n.align"
    path.write_bytes(b"\xef\xbb\xbf" + ALIGN.replace("\n", "\r\n").encode())
    (small / "s1" / "video" / "bbaf2n.mpg").rename(small / "s1" / "video" / "bbaf2n.MPEG")
    table = grid.read(small, **PAPER).set_index("clip_id")
    assert table.word_times["s2-bbaf2n"].startswith("bin 0.59 0.79; ")
    assert table.file["s1-bbaf2n"] == "s1/video/bbaf2n.MPEG"


def test_align_files_in_the_folder_of_another_speaker_are_found_by_their_names(tmp_path):
    folders = {"s1": "s2", "s2": "s9", "s9": "s1"}
    for number, (speaker, other) in enumerate(folders.items()):
        for digit in "123":
            written(tmp_path, f"{speaker}/bbaf{digit}{'anp'[number]}", align=f"alignments/{other}")
    # One name that the folder of the same number has too.
    written(tmp_path, "s1/bbaf1n", align="alignments/s2")
    table = grid.read(tmp_path, **PAPER)
    assert len(table) == 10
    (tmp_path / "alignments" / "s2" / "bbaf1n.align").unlink()
    with pytest.raises(UserError, match=r"s1/video/bbaf1n.mpg: expected the words' times"):
        grid.read(tmp_path, **PAPER)


def test_within_speakers_each_speaker_is_in_all_splits(small):
    table = grid.read(small, **WITHIN)
    for _, own in table.groupby("speaker"):
        assert own.split.value_counts().to_dict() == {"train": 2, "validation": 1, "test": 2}
    assert table.groupby("speaker").split.apply(tuple).nunique() > 1


def test_real_excerpt():
    if not REAL.is_dir():
        pytest.skip("the real excerpt is not on this machine")
    table = grid.read(REAL, **WITHIN)
    assert table.split.value_counts().to_dict() == {"train": 55, "validation": 22, "test": 33}
    assert table.word_times[table.clip_id == "s1-pbav5a"].item() == (
        "place 0.55 0.8; blue 0.8 1.04; at 1.04 1.08; v 1.08 1.26; five 1.26 1.56; again 1.56 1.88"
    )
    assert table.text.str.split().map(len).eq(6).all()
    with pytest.raises(
        UserError, match=r"expected clips in each split; found none in validation; copy some of s9, s20"
    ):
        grid.read(REAL, **PAPER)


def test_parameters_are_bound_by_their_annotations(small):
    read = parameters.bind(grid.read, "corpora.audiovisual", dict(PAPER))
    assert len(read(small)) == 15
    with pytest.raises(UserError, match="partition: expected one of 'paper', 'within_speakers'"):
        parameters.bind(grid.read, "corpora.audiovisual", PAPER | {"partition": "random"})


def _without(name):
    return lambda root: (root / name).unlink()


def _renamed(old, new):
    return lambda root: (root / old).rename(root / new)


def _align(content):
    return lambda root: (root / "s1" / "align" / "bbaf2n.align").write_text(content)


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (
            _without("s1/align/lgwtzn.align"),
            PAPER,
            r"s1/video/lgwtzn.mpg: expected the words' times, such as s1/align/lgwtzn.align; found no such file",
        ),
        (
            _align(ALIGN.replace("two", "three")),
            PAPER,
            "bbaf2n.align: expected the sentence of its name, bin blue at f two now; found bin blue at f three now;",
        ),
        (_align(ALIGN.replace("46500 now", "46500 sil")), PAPER, "found bin blue at f two; copy it again"),
        (_align(""), PAPER, "found no word; copy"),
        (_align(ALIGN.replace("28250 33000 f", "28250 f")), PAPER, "align, line 6: expected start, .* found '28250 f'"),
        (_align(ALIGN.replace("28250 33000", "33000 28250")), PAPER, "align, line 6: expected start, end and word"),
        (_align("0 " + 5000 * "9" + " sil\n"), PAPER, "align, line 1: expected start, end and word"),
        (_align(ALIGN.replace("33000 39500", "13000 39500")), PAPER, "align, line 7: .*, one after the other; found"),
        (_renamed("s1/video/bbaf2n.mpg", "s1/video/bbaw2n.mpg"), PAPER, "expected a name such as bbaf2n.*'bbaw2n'"),
        (_renamed("s1/video/bbaf2n.mpg", "s1/video/bbaf2.mpg"), PAPER, "expected a name such as bbaf2n.*'bbaf2'"),
        (_renamed("s1/video/bbaf2n.mpg", "s1/video/bbaf2nn.mpg"), PAPER, "expected a name such as bbaf2n.*'bbaf2nn'"),
        (
            _renamed("s1/video/bbaf2n.mpg", "bbaf2n.mpg"),
            PAPER,
            "expected a speaker's folder s1, s2, .* above each file",
        ),
        (_renamed("s1", "s21"), PAPER, "expected speakers s1 to s34 without s21, .* found 's21'; rename or remove"),
        (_renamed("s9", "s8"), PAPER, "expected clips in each split; found none in validation; copy some of s9,"),
        (lambda root: None, WITHIN | {"test_share": 0.0}, "found none in test; copy more clips, or change"),
        (
            lambda root: written(root, "s1/bbaf2n", align="s1/more"),
            PAPER,
            "more/bbaf2n.align: expected one such file of each clip; found also .*s1/align/bbaf2n.align; remove one",
        ),
        (
            lambda root: (root / "s1" / "bbaf2n.mp4").touch(),
            PAPER,
            "bbaf2n.mpg: expected one such file of each clip; found also .*s1/bbaf2n.mp4; remove one",
        ),
    ],
)
def test_faulty_copies(small, change, settings, message):
    change(small)
    with pytest.raises(UserError, match=message) as caught:
        grid.read(small, **settings)
    assert "\n" not in str(caught.value)


def test_no_video_at_all(tmp_path):
    with pytest.raises(UserError, match=r"expected videos such as s1/video/bbaf2n.mpg; found none"):
        grid.read(tmp_path, **PAPER)
