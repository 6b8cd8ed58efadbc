"""Combinations of treatments: what really happens and what is aimed through."""

import numpy as np
import pytest
import yaml

from stages.auditing import ways
from stages.frame.errors import UserError
from stages.victim import padded_batch

RATE_HZ = 16_000
TOLD = {"sample_rate_hz": RATE_HZ, "device": "cpu"}
AUDIT = {
    "treatments": {
        "half_the_rate": {"treatment": "resample", "parameters": {"rate_hz": 8000}},
        "noise": {"treatment": "white_noise", "parameters": {"snr_db": 10.0}},
        "as_it_is": {"treatment": "none"},
        "high": {"treatment": "mp3", "parameters": {"bitrate_kbps": 320}},
        "images": {"treatment": "griffin_lim", "parameters": {"iterations": 1}},
    },
    "combinations": {
        "both": {"how": "one_after_another", "treatments": ["half_the_rate", "noise"]},
        "either": {"how": "by_chance", "treatments": ["half_the_rate", "as_it_is", "of_events"]},
    },
}
EVENTS = {"treatments": {"of_events": {"treatment": "resample", "parameters": {"rate_hz": 4000}}}}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"audit": AUDIT, "events": EVENTS}))


def clips():
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.1, length).astype("f4") for length in (3000, 2000)]


def way(name):
    return ways.way("audit", name, "events", **TOLD)


def test_one_after_another_is_each_of_what_the_last_one_left(home):
    both, first, then = way("both"), way("half_the_rate"), way("noise")
    expected = then.treat(first.treat(clips(), seeds=[3, 4]), seeds=[3, 4])
    for made, own in zip(both.treat(clips(), seeds=[3, 4]), expected, strict=True):
        np.testing.assert_array_equal(made, own)
    batch = padded_batch(clips(), "cpu")
    aimed = then.through()(batch | {"audio": first.through()(batch)})
    np.testing.assert_array_equal(both.through()(batch), aimed)


def test_one_of_them_by_chance_is_each_as_often(home):
    either = way("either")
    (clip, _) = clips()
    options = [way(name).treat([clip], seeds=[0])[0] for name in AUDIT["combinations"]["either"]["treatments"]]
    heard = either.treat([clip] * 300, seeds=list(range(300)))
    counts = [sum(np.array_equal(one, option) for one in heard) for option in options]
    assert sum(counts) == 300
    assert all(70 < count < 130 for count in counts)
    aimed, batch = either.through(), padded_batch([clip], "cpu")
    looks = [aimed(batch)[0].numpy() for _ in range(60)]
    seen = [sum(np.allclose(one, option, atol=1e-5) for one in looks) for option in options]
    assert sum(seen) == 60
    assert all(9 < count < 31 for count in seen)
    again = either.through()
    np.testing.assert_array_equal(looks[0], again(batch)[0])  # chance begins anew


def test_a_choice_depends_on_the_seed_alone_and_leaves_clips_in_their_order(home):
    either, (first, second) = way("either"), clips()
    together = either.treat([first, second, first], seeds=[5, 6, 7])
    for clip, seed, made in zip((first, second, first), (5, 6, 7), together, strict=True):
        np.testing.assert_array_equal(either.treat([clip], seeds=[seed])[0], made)


@pytest.mark.parametrize(
    "name, told",
    [
        ("nois", "known here: of_events"),
        ("high", "bitrate_kbps at 16000 Hz"),
        ("images", "'through'"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(home, name, told):
    with pytest.raises(UserError, match=told):
        way(name).through()
