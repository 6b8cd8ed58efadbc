"""The reader of DEMoS and EMOVO on the published list, a real excerpt, and corpora with one fault each."""

from pathlib import Path

import pandas as pd
import pytest

from stages.corpora import demos_partition, italian_emotion
from stages.frame import clip_table, parameters
from stages.frame.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "corpora"
DEALT = {"partition": "by_speaker", "validation_share": 0.2, "test_share": 0.3}
PAPER = DEALT | {"partition": "paper"}
BALANCED = DEALT | {"partition": "balanced"}
CODES = ("rab", "dis", "pau", "col", "gio", "tri", "sor")
EMOVO = [f"{code}-{speaker}-b{n}" for code in ("neu", "gio") for speaker in ("f1", "f2", "m1", "m2") for n in (1, 2)]


def demos(*speakers: str) -> list[str]:
    return [f"NP_{speaker[0]}_{speaker[1:]}_{code}01b" for speaker in speakers for code in CODES]


def written(root: Path, names: list[str]) -> Path:
    for name in names:
        path = root / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = SHARED / "lists" / "demos_files.txt"
    if not source.is_file():
        pytest.skip("the published corpus's list is not on this machine")
    return written(tmp_path_factory.mktemp("DEMOS"), [name.removesuffix(".wav") for name in source.read_text().split()])


@pytest.mark.parametrize("settings", [PAPER, BALANCED])
def test_published_corpus_has_parts_with_the_papers_counts(published, settings):
    table = italian_emotion.read(published, **settings)
    assert (len(table), table.speaker.nunique()) == (9365, 68)
    counted = pd.crosstab(table.split, table.label).loc[list(clip_table.SPLITS), demos_partition.CLIPS.columns]
    assert counted.to_numpy().tolist() == demos_partition.CLIPS.to_numpy().tolist()
    assert table.groupby("split").speaker.nunique()[list(clip_table.SPLITS)].tolist() == [24, 22, 22]
    assert (table.groupby("speaker").split.nunique() == 1).all()


def test_published_corpus_is_dealt_out_anew_if_asked(published):
    speakers = italian_emotion.read(published, **DEALT).groupby("split").speaker.unique()
    assert speakers.map(len).to_dict() == {"train": 34, "validation": 14, "test": 20}
    women = speakers.map(lambda names: sum(name[0] == "f" for name in names))
    assert (abs(women - speakers.map(len) * 23 / 68) < 1).all()


def test_real_excerpt_is_split_by_speaker():
    root = SHARED / "EMOVO"
    if not root.is_dir():
        pytest.skip("the real excerpt is not on this machine")
    table = italian_emotion.read(root, **DEALT)
    assert (len(table), table.label.nunique()) == (392, 7)
    assert table.split.value_counts().to_dict() == {"train": 196, "validation": 98, "test": 98}
    assert set(table[table.split == "train"].speaker.str[0]) == {"f", "m"}
    assert (table.groupby("speaker").split.nunique() == 1).all()
    assert all((root / file).is_file() for file in table.file)


def test_for_cross_validation_each_speaker_is_a_fold(tmp_path):
    """Also where a label has too few clips for three splits."""
    table = italian_emotion.read(written(tmp_path, EMOVO[:-3]), **DEALT | {"partition": "each_speaker"})
    assert (table.fold == table.speaker).all() and set(table.fold) == {"f1", "f2", "m1", "m2"}
    assert set(table.split) == {"test"}


def test_rows(tmp_path):
    names = [*demos("f01", "m02", "m30", "m69"), "deep/er/PR_m_30_ang12c", "f_01_neu01b", "NP_m_02_neu02a"]
    table = italian_emotion.read(written(tmp_path, names), **PAPER).set_index("clip_id")
    assert table.loc["PR_m_30_ang12c"].to_dict() == {
        "file": "deep/er/PR_m_30_ang12c.wav",
        "label": "anger",
        "text": "",
        "fold": "",
        "speaker": "m30",
        "split": "validation",
        "verified": True,
        "word_times": "",
    }
    assert table.loc["NP_f_01_col01b", ["label", "speaker", "split"]].tolist() == ["guilt", "f01", "train"]
    assert table.split["NP_m_69_sor01b"] == "test"
    assert len(table) == 4 * 7 + 1
    assert set(table.label) == {"anger", "disgust", "fear", "guilt", "happiness", "sadness", "surprise"}


def test_upper_case_suffix_and_other_files(tmp_path):
    written(tmp_path, EMOVO)
    (tmp_path / "neu-f1-b1.wav").rename(tmp_path / "neu-f1-b1.WAV")
    (tmp_path / "readme.txt").touch()
    table = italian_emotion.read(tmp_path, **DEALT)
    assert len(table) == len(EMOVO)
    assert set(table.label) == {"neutral", "happiness"}
    assert table.set_index("clip_id").file["neu-f1-b1"] == "neu-f1-b1.WAV"


def test_what_macos_leaves_is_passed_over_and_other_formats_are_read(tmp_path):
    written(tmp_path, EMOVO)
    written(tmp_path, ["._neu-f1-b1", "__MACOSX/f1/._neu-f1-b1", "__MACOSX/neu-f1-b1"])
    (tmp_path / "neu-f1-b1.wav").rename(tmp_path / "neu-f1-b1.flac")
    table = italian_emotion.read(tmp_path, **DEALT)
    assert len(table) == len(EMOVO)
    assert table.set_index("clip_id").file["neu-f1-b1"] == "neu-f1-b1.flac"


def test_partition_decides_for_a_copy_of_some_speakers_of_demos(tmp_path):
    root = written(tmp_path, demos("f01", "f31", "m02", "m18", "m69"))

    def parts(settings: dict) -> dict[str, list[str]]:
        return italian_emotion.read(root, **settings).groupby("split").speaker.unique().map(sorted).to_dict()

    assert parts(PAPER) == {"train": ["f01", "f31", "m02"], "validation": ["m18"], "test": ["m69"]}
    assert parts(BALANCED) == {"train": ["f01", "m02", "m18"], "validation": ["f31"], "test": ["m69"]}
    sizes = {split: len(speakers) for split, speakers in parts(DEALT).items()}
    assert sizes == {"train": 2, "validation": 1, "test": 2}


def test_parameters_are_bound_by_their_annotations(tmp_path):
    read = parameters.bind(italian_emotion.read, "corpora.emotion", dict(DEALT))
    assert len(read(written(tmp_path, EMOVO))) == len(EMOVO)
    with pytest.raises(
        UserError, match=r"corpora.emotion.partition: expected one of 'paper', 'balanced', 'by_speaker'"
    ):
        parameters.bind(italian_emotion.read, "corpora.emotion", DEALT | {"partition": "random"})


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        ([], DEALT, "expected wav files of DEMoS's emotions or of EMOVO; found none; see data/README.md"),
        (["f_01_neu01b", "m_02_neu01b"], DEALT, "expected wav files of DEMoS's emotions"),
        (
            ["a/NP_m_27_xyz07b"],
            DEALT,
            "a/NP_m_27_xyz07b.wav: expected a name such as NP_m_27_rab07b .* rename or remove",
        ),
        (["NP_x_27_rab07b"], DEALT, "found 'NP_x_27_rab07b'"),
        (["rab-f1-b1-copy"], DEALT, "found 'rab-f1-b1-copy'"),
        (
            [*EMOVO, *demos("f01")],
            DEALT,
            "expected clips of DEMoS or of EMOVO; found both, such as NP_f_01_.* and neu-m2-",
        ),
        ([*EMOVO, "f1/neu-f1-b1"], DEALT, "expected each clip id once; found 'neu-f1-b1' twice"),
        (EMOVO, PAPER, "expected speakers of demos_partition.csv.* found 'f1'; set partition to by_speaker"),
        (demos("f01", "m30", "m35", "m69"), BALANCED, "as partition is 'balanced'; found 'm35'; set partition"),
        (demos("f01", "m02"), DEALT, "expected at least one speaker beside 1 for validation and 1 for test; found 2"),
        (demos("f01", "m30"), PAPER, "expected clips of each label in each split; found none of 'anger' in test"),
        (
            [*EMOVO, "sor-f1-b1", "sor-f2-b1"],
            DEALT,
            "expected clips of each label in each split; found none of 'surprise'",
        ),
    ],
)
def test_faulty_corpora(tmp_path, names, settings, message):
    with pytest.raises(UserError, match=message):
        italian_emotion.read(written(tmp_path, names), **settings)
