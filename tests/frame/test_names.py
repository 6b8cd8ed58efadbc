"""Names of files made of what data say."""

import pytest

from stages.frame.names import file_name


@pytest.mark.parametrize("text", ["dog", "0", "vgg13-deepfool", "Hi-hat", "a.b_c", "x" * 100])
def test_a_harmless_name_stays(text):
    assert file_name(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Speech/Male",
            "..",
            ".",
            "",
            "../../x",
            "/",
            "a:b",
            "a\\b",
            "Bird, chirp",
            "Tür auf",
            "a\nb",
            "\0",
            "\udcff",
        ),
        *("<script>alert(1)</script>", "-rf", ".hidden", "x" * 101, "\u202e", "犬" * 300),
    ],
)
def test_any_other_becomes_one(tmp_path, text):
    name = file_name(text)
    assert len(name) <= 100 and file_name(name.strip("-")) == name.strip("-")
    (tmp_path / f"{name}.wav").touch()
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.wav"]


def test_different_texts_have_different_names():
    texts = ["a/b", "a:b", "a_b", "a b", "a\u0308", "\xe4", "x" * 101, "x" * 102]
    assert len({file_name(text) for text in texts}) == len(texts)
