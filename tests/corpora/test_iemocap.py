"""IEMOCAP's layout with the oddities of the real files, and what is said of an incomplete copy."""

import time
from pathlib import Path

import pytest
import yaml

from stages.corpora import iemocap
from stages.frame.errors import UserError

EVALUATIONS = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes0{n}F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes0{n}F_impro01_M000\texc\t[2.5000, 2.5000, 2.5000]
C-E2:\tHappiness; Excited;\t()

[14.8872 - 18.0175]\tSes0{n}F_impro01_F001\tfru\t[2.5000, 2.5000, 2.5000]

[19.0 - 20.0]\tSes0{n}F_impro01_F002\txxx\t[2.5000, 2.5000, 2.5000]
[21.0 - 22.0]\tSes0{n}F_impro01_F003\thap\t[2.5000, 2.5000, 2.5000]
[23.0 - 24.0]\tSes0{n}F_impro01_M001\tang\t[2.5000, 2.5000, 2.5000]
[25.0 - 26.0]\tSes0{n}F_impro01_M002\tsad\t[2.5000, 2.5000, 2.5000]
"""
TRANSCRIPTIONS = """Ses0{n}F_impro01_F000 [006.2901-008.2357]: Excuse me.
Ses0{n}F_impro01_M000 [010.0100-011.3925]: Yeah. [LAUGHTER]
M: Hm-hmm.
Ses0{n}F_impro01_FXX0 [012.0000-012.5000]: Oh.
Ses0{n}F_impro01_F001 [014.8872-018.0175]: Is there a problem?
Ses0{n}F_impro01_F003 [021.0000-022.0000]: That's caf\xe9 news: great!
Ses0{n}F_impro01_M001 [023.0000-024.0000]: Get out.
Ses0{n}F_impro01_M002 [025.0000-026.0000]: I miss him.
"""
COUNTS = {"angry": 1, "happy": 2, "neutral": 1, "sad": 1}


def write(root, sessions=5):
    for n in range(1, sessions + 1):
        dialog = root / f"Session{n}" / "dialog"
        for kind, text in (("EmoEvaluation", EVALUATIONS), ("transcriptions", TRANSCRIPTIONS)):
            (dialog / kind).mkdir(parents=True)
            (dialog / kind / f"Ses0{n}F_impro01.txt").write_bytes(text.replace("{n}", str(n)).encode("latin-1"))
            (dialog / kind / f"._Ses0{n}F_impro01.txt").write_bytes(b"\x00\x05\x16\x07")
        (dialog / "EmoEvaluation" / "Categorical").mkdir()
        wav = root / f"Session{n}" / "sentences" / "wav" / f"Ses0{n}F_impro01"
        wav.mkdir(parents=True)
        for name in ("F000", "F001", "F002", "F003", "M000", "M001", "M002"):
            (wav / f"Ses0{n}F_impro01_{name}.wav").write_bytes(b"")
    return root


def test_rows(tmp_path):
    table = iemocap.read(write(tmp_path), expected_counts={f"Session{n}": COUNTS for n in range(1, 6)})
    assert len(table) == 25
    row = table[table.clip_id == "Ses02F_impro01_M000"].iloc[0].to_dict()
    assert row == {
        "clip_id": "Ses02F_impro01_M000",
        "file": "Session2/sentences/wav/Ses02F_impro01/Ses02F_impro01_M000.wav",
        "label": "happy",
        "text": "Yeah. [LAUGHTER]",
        "speaker": "Ses02M",  # who speaks, not who wears the markers
        "split": "train",
        "fold": "Session2",
        "verified": True,
        "word_times": "",
    }
    assert table.groupby(["fold", "label"]).size().unstack().to_dict("index") == {
        f"Session{n}": COUNTS for n in range(1, 6)
    }
    assert dict(zip(table.fold, table.split)) == {
        **dict.fromkeys(("Session1", "Session2", "Session3"), "train"),
        "Session4": "validation",
        "Session5": "test",
    }
    assert table.text[table.clip_id == "Ses01F_impro01_F003"].item() == "That's caf\xe9 news: great!"
    assert table.speaker.nunique() == 10


def test_a_part_of_the_corpus_is_told_with_what_differs_and_runs_without_counts(tmp_path):
    root = write(tmp_path, sessions=3)
    (root / "Session2" / "dialog" / "EmoEvaluation" / "Ses02F_impro01.txt").write_text(
        EVALUATIONS.replace("{n}", "2").replace("\tang\t", "\tfru\t")
    )
    with pytest.raises(UserError) as caught:
        iemocap.read(root, expected_counts={f"Session{n}": COUNTS for n in (1, 2, 3, 4)})
    assert str(caught.value).endswith(
        "expected 20 utterances as corpora.*.expected_counts says; found 14: Session2 angry 0 for 1, "
        "Session4 angry 0 for 1, Session4 happy 0 for 2, Session4 neutral 0 for 1, Session4 sad 0 for 1; copy what is "
        "missing, or for a part of the corpus set expected_counts to null or to its own counts"
    )
    table = iemocap.read(root, expected_counts=None)
    assert set(zip(table.fold, table.split)) == {
        ("Session1", "train"),
        ("Session2", "validation"),
        ("Session3", "test"),
    }


def _remove(name):
    def change(root):
        (root / name).unlink()

    return change


def _replace(name, old, new):
    def change(root):
        path = root / name
        path.write_bytes(path.read_bytes().replace(old, new))

    return change


def _rewrite(name, new):
    def change(root):
        path = root / name
        path.write_bytes(new(path.read_bytes().decode("latin-1")))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _remove("Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M001.wav"),
            r"Ses01F_impro01_M001.wav: expected the audio of Ses01F_impro01_M001, labelled ang; found no such file",
        ),
        (
            _replace("Session3/dialog/transcriptions/Ses03F_impro01.txt", b"Ses03F_impro01_M002 [", b"# ["),
            r"Ses03F_impro01.txt: expected the transcript of Ses03F_impro01_M002, labelled sad; found none",
        ),
        (
            _replace("Session3/dialog/transcriptions/Ses03F_impro01.txt", b"Excuse me.", b" "),
            r"expected the transcript of Ses03F_impro01_F000, labelled neu; found none",
        ),
        (
            _replace("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", b"6.2901 - 8.2357", b"6.2901, 8.2357"),
            r"Ses01F_impro01.txt, line 3: expected \[start - end\], name, emotion",
        ),
        (
            _replace("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", b"_F003\t", b"_F000\t"),
            r"expected Ses01F_impro01_F000 once in a session; found twice",
        ),
        (
            _rewrite("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", lambda text: text.encode("utf-16")),
            r"Ses01F_impro01.txt, line 1: expected text in UTF-8; found the byte 0x00; save the file anew",
        ),
        (
            _rewrite("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", lambda text: b""),
            r"EmoEvaluation/Ses01F_impro01.txt: expected a line for each turn, .*; found none; copy the file again",
        ),
        (
            _rewrite("Session1/dialog/transcriptions/Ses01F_impro01.txt", lambda text: b"M: Hm-hmm.\n"),
            r"transcriptions/Ses01F_impro01.txt: expected a line for each turn, .*; found none; copy the file again",
        ),
        (
            _remove("Session4/dialog/transcriptions/Ses04F_impro01.txt"),
            r"expected a text file for each dialog; found none",
        ),
        (
            _replace("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", b"[23.0 - 24.0]", b"23.0 - 24.0]"),
            r"Ses01F_impro01.txt, line 14: expected \[start - end\], name, emotion",
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, change, message):
    root = write(tmp_path)
    change(root)
    with pytest.raises(UserError, match=message) as caught:
        iemocap.read(root, expected_counts=None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [".", "IEMOCAP_full_release/Session1"])
def test_a_folder_too_high_or_too_low_is_told_where_the_sessions_are(tmp_path, place):
    root = write(tmp_path / "IEMOCAP_full_release")
    with pytest.raises(UserError) as caught:
        iemocap.read(tmp_path / place, expected_counts=None)
    assert str(caught.value).endswith(f"found none; set corpora.*.root to {root}")


def test_too_few_sessions(tmp_path):
    with pytest.raises(UserError, match=r"at least three folders .* found Session1, Session2; copy more of them"):
        iemocap.read(write(tmp_path, sessions=2), expected_counts=None)


def test_other_folders_beside_the_sessions_are_passed_over(tmp_path):
    root = write(tmp_path)
    (root / "Session1_backup").mkdir()
    assert len(iemocap.read(root, expected_counts=None)) == 25


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"Get\x85 out.", "Get\u2026 out."),
        (b"Get\tout.", "Get out."),
        (b"Don\x92t go.", "Don\u2019t go."),
        ("Don\u2019t go.".encode(), "Don\u2019t go."),
        ("\u00c5sa, get out.".encode(), "\u00c5sa, get out."),
    ],
)
def test_transcripts_in_windows_1252_and_utf_8_are_whole(tmp_path, content, text):
    root = write(tmp_path)
    path = root / "Session1" / "dialog" / "transcriptions" / "Ses01F_impro01.txt"
    other = path.read_bytes().replace(b"\xe9", b"e")
    path.write_bytes(other.replace(b"Get out.", content).replace(b"\n", b"\r\n"))
    table = iemocap.read(root, expected_counts=None)
    assert table.text[table.clip_id == "Ses01F_impro01_M001"].item() == text


def test_a_byte_order_mark_and_an_indent_hide_no_utterance(tmp_path):
    root = write(tmp_path)
    path = root / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    body = path.read_bytes().split(b"\n\n", 1)[1].replace(b"[23.0", b" [23.0")
    path.write_bytes(b"\xef\xbb\xbf" + body)
    assert len(iemocap.read(root, expected_counts=None)) == 25


def test_recordings_with_another_suffix_and_lists_in_capitals_are_read(tmp_path):
    root = write(tmp_path)
    wav = root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M001.wav"
    wav.rename(wav.with_suffix(".WAV"))
    text = root / "Session1/dialog/transcriptions/Ses01F_impro01.txt"
    text.rename(text.with_suffix(".TXT"))
    table = iemocap.read(root, expected_counts=None).set_index("clip_id")
    assert len(table) == 25
    assert table.file["Ses01F_impro01_M001"].endswith("_M001.WAV")


def test_a_name_as_long_as_the_file_is_told_at_once(tmp_path):
    root = write(tmp_path)
    long, brackets = "Ses01F_" + 60_000 * "a_", "Ses01F_" + 60_000 * "["
    with (root / "Session1/dialog/transcriptions/Ses01F_impro01.txt").open("a") as texts:
        texts.write(f"{brackets}\n{brackets} {brackets}\n")
    with (root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").open("a") as lines:
        lines.write(f"[1.0 - 2.0]\t{long}!\tneu\t[1]\n")
    before = time.process_time()
    with pytest.raises(
        UserError, match=r"expected a name such as Ses01F_impro01_F000; found Ses01F_a_a.{,60}; correct"
    ):
        iemocap.read(root, expected_counts=None)
    assert time.process_time() - before < 5


def test_the_real_counts_add_up():
    """The paper scale's counts give the totals that are known of the whole corpus."""

    path = Path(__file__).parents[2] / "scales" / "paper.yaml"
    corpus = yaml.safe_load(path.read_text(encoding="utf-8"))["transfer"]["corpora"]["audio"]
    counts = corpus["parameters"]["expected_counts"]
    totals = {label: sum(own[label] for own in counts.values()) for label in COUNTS}
    assert totals == {"angry": 1103, "happy": 1636, "neutral": 1708, "sad": 1084}
    assert [sum(own.values()) for own in counts.values()] == [1085, 1023, 1151, 1031, 1241]
