"""The one parameter reader: what is a number, and what each wrong value says."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from stages.frame import parameters
from stages.frame.errors import UserError
from stages.frame.parameters import Count, Name, Positive, Range


def take(
    *,
    epochs: Count,
    learning_rate: Positive,
    mode: Literal["a", "b"] = "a",
    share: Annotated[float, Range(0, 1)] = 0.5,
    names: list[str] | None = None,
    rest: dict[str, Any] | None = None,
):
    """A function with every kind of parameter."""
    return epochs, learning_rate, mode, share, names, rest


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return path

    return write


def test_numbers_as_dvc_writes_them(file):
    values = parameters.read(file("a: 1e-05\nb: 1e5\nc: -.5\nd: 3\ne: 007\nf: '1e-05'\ng: 1.\n"))
    assert values == {"a": 1e-5, "b": 1e5, "c": -0.5, "d": 3, "e": 7, "f": "1e-05", "g": 1.0}
    assert isinstance(values["d"], int)


def test_good_values_pass_and_whole_numbers_become_floats():
    epochs, learning_rate, *_ = parameters.bind(take, "x", {"epochs": 3, "learning_rate": 1})()
    assert (epochs, learning_rate) == (3, 1.0)
    assert isinstance(learning_rate, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 3, "learning_rat": 0.1}, r"params.yaml: x.learning_rat: .*did you mean 'learning_rate'"),
        ({"epochs": 3}, r"params.yaml: x.learning_rate: expected a value; found none"),
        ({"epochs": "3", "learning_rate": 0.1}, r"x.epochs: expected a whole number >= 1; found '3'"),
        ({"epochs": {"low": 1}, "learning_rate": 0.1}, r"x.epochs: expected a whole number >= 1; found \{'low': 1\}"),
        ({"epochs": True, "learning_rate": 0.1}, r"x.epochs: expected a whole number"),
        ({"epochs": 0, "learning_rate": 0.1}, r"x.epochs: expected a whole number >= 1; found 0"),
        ({"epochs": 1, "learning_rate": 0}, r"x.learning_rate: expected a number > 0; found 0"),
        ({"epochs": 1, "learning_rate": float("nan")}, r"x.learning_rate: expected a number > 0; found nan"),
        ({"epochs": 1, "learning_rate": 0.1, "share": 1.5}, r"x.share: expected a number >= 0 and <= 1; found 1.5"),
        ({"epochs": 1, "learning_rate": 0.1, "mode": "c"}, r"x.mode: expected one of 'a', 'b'; found 'c'"),
        ({"epochs": 1, "learning_rate": 0.1, "names": [1]}, r"x.names: expected a list of text or null; found \[1\]"),
        ({"epochs": 1, "learning_rate": 3.5e38}, r"x.learning_rate: expected .* to 1e\+18; found 3.5e\+38"),
        ({"epochs": 1, "learning_rate": float("inf")}, r"x.learning_rate: expected .* to 1e\+18; found inf"),
        ({"epochs": 1, "learning_rate": 1e-50}, r"x.learning_rate: expected .* from 1e-18 .*; found 1e-50"),
        ({"epochs": 1, "learning_rate": 10**400}, r"x.learning_rate: expected whole numbers up to 2147483647"),
        (
            {"epochs": 2**31, "learning_rate": 0.1},
            r"x.epochs: expected whole numbers up to 2147483647.*; found 2147483648",
        ),
        ({"epochs": 1, "learning_rate": 0.1, "rest": {"a": [1, -1e19]}}, r"x.rest: expected .* to 1e\+18; found \{'a"),
        (None, r"x: expected a mapping"),
    ],
)
def test_a_wrong_value_is_one_line(values, message):
    with pytest.raises(UserError, match=message) as caught:
        parameters.bind(take, "x", values)
    assert "\n" not in str(caught.value)


def test_what_the_caller_passes_is_no_parameter():
    bound = parameters.bind(take, "x", {"epochs": 3}, passed=("learning_rate",))
    assert bound(learning_rate=2.0)[1] == 2.0
    with pytest.raises(UserError, match="learning_rate"):
        parameters.bind(take, "x", {"epochs": 3, "learning_rate": 1.0}, passed=("learning_rate",))


def test_a_misspelt_section_suggests_the_right_one(file):
    path = file("attacks:\n  deepfool: {}\n")
    with pytest.raises(UserError, match="did you mean 'deepfool'"):
        parameters.section("attacks.deepfol", path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "key 'a' twice"),
        ("a: [", "valid YAML"),
        ("- 1\n", "expected a mapping"),
        ("a: 2020-13-45\n", "valid YAML; found month must be in 1..12"),
        ("a: " + 5000 * "9", "valid YAML; found Exceeds the limit"),
        ("a: " + 5000 * "[", "valid YAML"),
        ("a: \x07", "valid YAML"),
    ],
)
def test_a_broken_file_is_one_line(file, text, message):
    with pytest.raises(UserError, match=message) as caught:
        parameters.read(file(text))
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_passed_over_and_another_encoding_told(file):
    path = file("")
    path.write_bytes(b"\xef\xbb\xbfa: caf\xc3\xa9\n")
    assert parameters.read(path) == {"a": "caf\xe9"}
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(UserError, match=r"params\.yaml, line 2: expected text in UTF-8; found the byte 0xe9"):
        parameters.read(path)


def test_what_a_caller_changes_nobody_else_sees(file):
    path = file("a: {b: {c: 1}}\n")
    for _ in range(2):
        values = parameters.section("a", path)
        assert values.pop("b") == {"c": 1}
        parameters.read(path)["a"].clear()
    file("a: {b: {c: 2}}\n")
    assert parameters.section("a.b", path) == {"c": 2}


@pytest.mark.parametrize("value", ["", "3", "[1]", "text"])
def test_a_section_that_is_no_mapping_is_told(file, value):
    with pytest.raises(UserError, match=r"params\.yaml: a\.b: expected a mapping; found"):
        parameters.section("a.b", file(f"a: {{b: {value}}}\n"))


def test_a_name_that_leads_elsewhere_is_told(file):
    with pytest.raises(UserError, match=r"s\.corpora\./etc/x: expected a name that a file of ours can have"):
        parameters.section("s.corpora./etc/x", file("s: {corpora: {/etc/x: {}}}\n"))
    with pytest.raises(UserError, match="a/b: expected a name that a file of ours can have"):
        parameters.section("s.corpora.a/b", file("s: {corpora: {a/b: {}}}\n"))


@pytest.mark.parametrize("name", ["../x", "a/../b", "/a", "a//b", "", ".", "a\\b", "a\nb"])
def test_the_name_of_a_file_of_ours_leads_nowhere_else(name):
    assert parameters.fits("adversarial/vgg13-lbfgs", Name) and parameters.fits("T\xfcren 1", Name)
    assert not parameters.fits(name, Name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        parameters.read(tmp_path / "nowhere.yaml")


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A mapping within an entry."""

    share: Annotated[float, Range(0, 1)]
    name: str = "x"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry with another one in it."""

    epochs: Count
    inner: Inner | None = None
    epsilon: dict[str, Positive] | None = None
    names: list[str] = field(default_factory=list)


def test_an_entry_is_read_as_the_dataclass_that_it_is_checked_by(file):
    path = file(
        "events:\n  victims:\n    one: {epochs: 2, inner: {share: 1}, epsilon: {audio: 3}}\n    two: {epochs: 1}\n"
    )
    one = parameters.entry(Entry, "events.victims.one", path)
    assert one == Entry(epochs=2, inner=Inner(share=1.0), epsilon={"audio": 3})
    assert isinstance(one.inner.share, float)
    assert parameters.entry(Entry, "events.victims.two", path) == Entry(epochs=1, inner=None, epsilon=None, names=[])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{epochs: 0}", r"a\.b\.epochs: expected a whole number >= 1; found 0"),
        ("{epochs: 1, inner: {share: 2}}", r"a\.b\.inner\.share: expected a number >= 0 and <= 1; found 2"),
        ("{epochs: 1, inner: {shar: 1}}", r"a\.b\.inner\.shar: .*did you mean 'share'"),
        ("{epochs: 1, inner: {}}", r"a\.b\.inner\.share: expected a value; found none"),
        ("{epochs: 1, inner: 3}", r"a\.b\.inner: expected a mapping or null; found 3"),
        ("{epochs: 1, epsilon: {audio: 0}}", r"a\.b\.epsilon: expected .*; found \{'audio': 0\}"),
    ],
)
def test_what_is_wrong_within_an_entry_is_named_by_its_whole_name(file, text, message):
    with pytest.raises(UserError, match=message) as caught:
        parameters.entry(Entry, "a.b", file(f"a:\n  b: {text}\n"))
    assert "\n" not in str(caught.value)


OWN = "s: {attacked: {a: {x: 1}}, own: {attacked: {b: {x: 2}}, victims: {}}}\n"


def test_entries_of_ones_own_stand_among_the_others_and_as_they_are_written(file):
    path = file(OWN)
    assert parameters.section("s.attacked", path) == {"a": {"x": 1}, "b": {"x": 2}}
    assert parameters.section("s.attacked.b", path) == parameters.section("s.own.attacked.b", path) == {"x": 2}
    assert parameters.section("s.victims", path) == {}
    # As DVC compares them.
    assert parameters.read(path)["s"]["attacked"] == {"a": {"x": 1}}


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("b:", "a:", "s.own.attacked: expected names that attacked has not; found a; rename it"),
        ("victims: {}", "attacks: {}", r"s.own: expected entries in victims, finished, attacked; found .*; put others"),
        ("victims: {}", "victims: 1", r"s.own: expected entries in victims, finished, attacked; found"),
        ("victims: {}", "finished: {m: {}}", r"s.own.finished.m: expected by what it is attacked; .*; add `attacked"),
        ("victims: {}", "finished: {m: {attacked: 1}}", r"s.own.finished.m: expected by what it is attacked"),
        ("victims: {}", "finished: {b: {attacked: {}}}", "s.finished: expected names that attacked has not; found b"),
        (
            "{x: 1}",
            "{attack: {}}}, attacks: {a: {}",
            "s.attacked: expected names that attacks has not; found a; rename",
        ),
    ],
)
def test_entries_of_ones_own_that_fit_nowhere_are_told(file, right, wrong, told):
    path = file(OWN.replace(right, wrong))
    with pytest.raises(UserError, match=told):
        parameters.section("s.attacked", path)


CARRYING = """
s:
  attacks: {known: {attack: file}}
  own:
    attacked:
      mine: {victims: [v], plan: p, attack: {attack: my_file, parameters: {steps: 2}}}
      both: {victims: [v], plan: p, attacks: [known], attack: {attack: my_file}}
    finished:
      theirs: {network: n, inputs: i, method: finished, attacked: {attacks: [known], plan: p}}
      ours: {network: n, inputs: i, attacked: {attack: {attack: my_file}, plan: p}}
other: {attacked: {mine: {attack: {attack: my_file}}}}
"""


def test_a_set_that_carries_its_attack_and_a_finished_model_that_says_by_what_are_entries_of_both_kinds(file):
    path = file(CARRYING)
    attacks = {name: {"attack": "my_file"} for name in ("both", "ours")}
    attacks |= {"known": {"attack": "file"}, "mine": {"attack": "my_file", "parameters": {"steps": 2}}}
    assert parameters.section("s.attacks", path) == attacks
    of_model = {"network": "n", "inputs": "i", "plan": "p"}
    assert parameters.section("s.attacked", path) == {
        "mine": {"victims": ["v"], "plan": "p", "attacks": ["mine"]},
        "both": {"victims": ["v"], "plan": "p", "attacks": ["known", "both"]},
        "theirs": {"victims": ["theirs"], "attacks": ["known"]} | of_model,
        "ours": {"victims": ["ours"], "attacks": ["ours"]} | of_model,
    }
    assert parameters.section("s.finished.theirs", path) == {"network": "n", "inputs": "i", "method": "finished"}
    # In a study whose graph names no entry one by one too.
    assert parameters.section("other.attacked.mine", path) == {"attacks": ["mine"]}
    assert parameters.section("other.attacks.mine", path) == {"attack": "my_file"}
    # As they are written, which is what DVC compares.
    assert parameters.section("s.own.finished.ours", path)["attacked"]["plan"] == "p"
