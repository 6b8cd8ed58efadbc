"""The players of clips, in a browser that opens a page from disk."""

import numpy as np
import pandas as pd
import pytest
from browser import chromium, violations, watched

from stages import listen
from stages.reporting import page
from stages.reporting.sound import Clip, Sound

RATE_HZ = 8000
# So long that what a busy machine takes for a step of a test is little of it.
DURATION_S = 20.0
HOSTILE = "<img src=x onerror=alert(1)>'\"><b>"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page of a study with two clips: one whose names are hostile, and one with pictures."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "listening").mkdir()
    tone = 0.25 * np.sin(np.arange(int(DURATION_S * RATE_HZ)) / 3)
    video = np.full((int(DURATION_S * 25), 8, 8), 90, "u1")
    sounds = [Sound("clean", tone, "Gong", 0.9), Sound(HOSTILE, 2 * tone, HOSTILE, 0.5)]
    sounds += [Sound("difference", tone, is_difference=True), Sound("half", tone[: len(tone) // 2], "Gong")]
    seen = [Sound(name, tone, "yes", 0.8, video=video) for name in ("benign", "attacked")]
    clips = {"heard": Clip("c1", "Gong", HOSTILE, HOSTILE, RATE_HZ, sounds)}
    clips["seen"] = Clip("c2", "yes", "", "loud", RATE_HZ, seen)
    rows = [row for entry, clip in clips.items() for row in listen._written(clip, entry, folder / "listening")]
    pd.DataFrame(rows).to_csv(folder / "listening/listening.csv", index=False)
    summary = {"title": "a study", "question": "", "findings": [], "pictures": [], "verdicts": {}}
    summary |= {"clips_measured": 2, "corpus": "tones", "built_in": False, "metrics": {"unreadable_clips": 0}}
    return page.write_study(folder, summary, note="", tables={}, figures={})


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture
def opened(browser, written):
    """The page, and what was wrong in it, which is to be nothing at the end."""
    shown = browser.new_page(viewport={"width": 1300, "height": 900})
    wrong = watched(shown)
    shown.goto(written.as_uri())
    yield shown
    assert wrong == []
    shown.close()


def moments(player) -> list[float]:
    return player.locator("audio, video").evaluate_all("sounds => sounds.map(sound => sound.currentTime)")


def playing(player) -> list[bool]:
    return player.locator("audio, video").evaluate_all("sounds => sounds.map(sound => !sound.paused)")


@pytest.mark.parametrize("which", [0, 1])
def test_another_version_goes_on_at_the_same_moment(opened, which):
    player = opened.locator(".player").nth(which)
    player.get_by_role("button", name="Play", exact=True).click()
    opened.wait_for_function(f"() => Number(document.querySelectorAll('.moment')[{which}].value) > 0.3")
    height = player.bounding_box()["height"]
    opened.keyboard.press("2")
    first, second = moments(player)[:2]
    assert 0.3 < first <= second < first + DURATION_S / 4
    assert playing(player)[:2] == [False, True]
    assert player.locator("figure").evaluate_all("all => all.map(one => one.hidden)")[:2] == [True, False]
    pressed = player.locator(".versions button").evaluate_all("all => all.map(one => one.ariaPressed)")
    assert pressed == ["false", "true", "false", "false"][: len(pressed)]
    assert player.bounding_box()["height"] == height
    player.get_by_role("button", name="Pause", exact=True).click()
    assert not any(playing(player))


def test_the_cursor_is_moved_by_clicks_and_keys_and_by_playing(opened):
    player = opened.locator(".player").first
    cursor, picture = player.get_by_role("slider"), player.locator("img").first.bounding_box()
    assert cursor.bounding_box() == picture
    cursor.click(position={"x": picture["width"] / 2, "y": 30})
    assert moments(player)[0] == pytest.approx(DURATION_S / 2, rel=0.02)
    opened.keyboard.press("ArrowRight")
    later = moments(player)[0]
    assert later > DURATION_S / 2
    player.locator(".clock", has_text=f"{later:.2f} s").wait_for()
    opened.keyboard.press("Space")
    opened.wait_for_function(f"() => Number(document.querySelector('.moment').value) > {later + 0.1}")
    opened.keyboard.press("Space")
    assert not any(playing(player))
    opened.keyboard.press("Control+3")
    assert player.locator("figure").nth(0).is_visible()


def test_one_player_is_heard_at_a_time_and_repeats_if_it_is_to(opened):
    first, second = (opened.locator(".player").nth(which) for which in (0, 1))
    for player in (first, second):
        player.get_by_role("button", name="Play", exact=True).click()
    opened.wait_for_function("() => document.querySelector('audio').paused")
    assert playing(second) == [True, False]
    assert first.locator("audio").evaluate_all("all => all.every(one => one.loop)")
    first.get_by_role("checkbox").uncheck()
    assert not first.locator("audio").evaluate_all("all => all.some(one => one.loop)")


def test_versions_are_level_matched_and_say_by_how_much(opened):
    player = opened.locator(".player").first
    # The half has 3 dB less than the clean one, which has 6 dB less than the second; the difference was raised by 6.
    volumes = player.locator("audio").evaluate_all("all => all.map(one => one.volume)")
    assert volumes == pytest.approx([0.5**0.5, 0.5**1.5, 0.5**1.5, 1.0], rel=0.01)
    told = player.locator(".versions small").all_inner_texts()
    assert told == ["played 3.0 dB lower", "played 9.0 dB lower", "raised by 6.0 dB, played 9.0 dB lower", ""]


def test_names_of_any_kind_are_text_and_nothing_is_wrong_for_readers_with_aids(opened):
    assert opened.locator("h3").first.inner_text() == f"heard: Gong made into {HOSTILE}"
    assert opened.locator(".versions button").nth(1).inner_text().count(HOSTILE) == 2
    decisions = {name: opened.locator(f".versions .{name}").all_inner_texts() for name in ("right", "met")}
    assert decisions == {"right": ["Gong 0.90", "Gong", "yes 0.80", "yes 0.80"], "met": [f"{HOSTILE} 0.50"]}
    assert opened.locator("img[src=x], #listen b b").count() == 0
    opened.locator(".player").first.get_by_role("button", name="Play", exact=True).focus()
    assert violations(opened, "#listen") == []


def test_a_sound_that_is_not_there_is_told(browser, written, tmp_path):
    alone = tmp_path / "index.html"
    alone.write_bytes(written.read_bytes())
    shown = browser.new_page()
    shown.goto(alone.as_uri())
    player = shown.locator(".player").first
    player.get_by_role("button", name="Play", exact=True).click()
    player.locator(".problem", has_text="It can't be played").wait_for()
    shown.close()


def test_without_scripts_all_versions_have_the_browsers_own_player(browser, written):
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(written.as_uri())
    assert all(one.is_visible() for one in shown.locator(".version img, audio[controls], video[controls]").all())
    assert not any(one.is_visible() for one in shown.locator(".moment, .controls, .versions, .live").all())
    assert shown.locator("figcaption").nth(1).inner_text().startswith(HOSTILE)
    context.close()
