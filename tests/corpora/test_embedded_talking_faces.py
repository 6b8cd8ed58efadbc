"""The built-in talking faces: layouts through the real readers, sound and lips in time, the same bytes twice."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

from stages.corpora import grid, lrw
from stages.corpora.embedded import faces, looks, talking_faces, visemes
from stages.corpora.embedded.voices import speak, speak_with_events
from stages.features import face_mesh, mouth_crops
from stages.features.video import read_video

WORDS = ["POLICE", "PEOPLE"]  # the second one occurs in a phrase that others are put into


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "GRID"
    talking_faces.write_grid(folder, seed=1, train_clips_per_speaker=1, other_clips_per_speaker=1)
    return folder


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "LRW"
    talking_faces.write_lrw(folder, seed=1, words=WORDS, train_clips_per_word=3, other_clips_per_word=1)
    return folder


def lip_gaps(frames):
    """The mesh's distance between the lips in each frame (RGB), as a share of that between the eyes' outer corners."""
    import mediapipe

    def distance(landmarks, one, other, size):
        x, y = ((getattr(landmarks[one], axis) - getattr(landmarks[other], axis)) for axis in "xy")
        return np.hypot(x * size[1], y * size[0])

    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=False, max_num_faces=1) as mesh:
        found = [mesh.process(frame).multi_face_landmarks for frame in frames]
    assert all(found), "a frame without a face"
    size = frames[0].shape
    return np.array([distance(one.landmark, 13, 14, size) / distance(one.landmark, 33, 263, size) for (one,) in found])


def test_the_real_reader_reads_the_sentences(sentences):
    table = grid.read(sentences, partition="paper", validation_share=0.1, test_share=0.1)
    assert table.split.value_counts().to_dict() == {"train": 16, "test": 10, "validation": 7}
    assert table.speaker.nunique() == 33
    assert table.text.nunique() > 30
    for times in table.word_times:
        edges = [tuple(map(float, word.split()[1:])) for word in times.split("; ")]
        assert len(edges) == 6 and edges[0][0] > 0 and edges[-1][1] <= 3
        assert all(start < end for start, end in edges)
        assert all(end == start for (_, end), (start, _) in pairwise(edges))


def test_the_real_reader_reads_the_words(words):
    table = lrw.read(words, words=None, expected_words=2)
    assert table.groupby(["label", "split"]).size().to_dict() == {
        (word, split): count for word in WORDS for split, count in (("train", 3), ("validation", 1), ("test", 1))
    }
    assert all(int(row.speaker[1:]) in grid.PAPER[row.split] for row in table.itertuples())


@pytest.mark.parametrize("corpus", ["sentences", "words"])
def test_the_files_have_frames_and_sound_of_the_same_length_and_a_noise_floor(corpus, request):
    form = {"sentences": talking_faces.GRID, "words": talking_faces.LRW}[corpus]
    for path in sorted(path for path in request.getfixturevalue(corpus).rglob("*.mp*g*"))[:4]:
        video = read_video(path, frames_per_clip=form.frames)
        assert video.frames.shape == (form.frames, form.height, form.width, 3)
        assert (video.frames_added, video.silent_samples_added) == (0, 0)
        quietest = min(np.sqrt(np.mean(piece**2)) for piece in np.split(video.audio, form.frames))
        assert 15 < 32768 * quietest < 400
        assert np.abs(video.audio).max() > 0.2


def test_the_camera_is_as_noisy_as_real_grids(sentences):
    """Of a real speaker's mouths before the first word: .57 to 1.42 grey levels, neighbours correlated by .43 to .71.

    Of the wall behind, whose noise alone is seen: correlated by .64 to .70 in space, by -.31 to -.26 in time.
    """
    levels, beside, wall_beside, wall_after = [], [], [], []
    for speaker in (1, 8, 20):
        (path,) = (sentences / f"s{speaker}/video").glob("*.mpg")
        first_word = (sentences / f"s{speaker}/align/{path.stem}.align").read_text().split()[1]
        frames = read_video(path, frames_per_clip=75).frames[: max(4, int(first_word) // 1000)]
        points, _, _ = face_mesh.landmarks(frames, path)
        mouths = np.diff(mouth_crops.crops(frames, points, size=48)["video"].astype(float), axis=0)
        levels.append(np.abs(mouths).mean((1, 2)).min())
        beside.append(correlation(mouths[..., 1:], mouths[..., :-1]))
        wall = np.diff(frames[:, 10:60, 10:60].mean(3), axis=0)
        wall_beside.append(correlation(wall[..., 1:], wall[..., :-1]))
        wall_after.append(correlation(wall[1:], wall[:-1]))
    assert min(levels) > 0.4 and max(levels) < 1.5
    assert 0.4 < np.mean(beside) < 0.75
    assert 0.6 < np.mean(wall_beside) < 0.8
    assert -0.36 < np.mean(wall_after) < -0.22


def correlation(one, other):
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def test_sound_comes_back_when_the_align_file_says(sentences):
    for path in sorted(sentences.rglob("*.mpg"))[:8]:
        lines = (path.parents[1] / "align" / f"{path.stem}.align").read_text().splitlines()
        start_s, end_s = int(lines[0].split()[1]) / 25_000, int(lines[-1].split()[0]) / 25_000
        audio = read_video(path, frames_per_clip=75).audio
        level = np.sqrt(np.convolve(audio**2, np.ones(320) / 320, "same"))
        loud_s = np.flatnonzero(level > 0.12 * level.max()) / 16_000
        assert start_s - 0.02 < loud_s[0] < start_s + 0.15  # a stop's closure is silent
        assert end_s - 0.25 < loud_s[-1] < end_s + 0.03


@pytest.mark.parametrize("form", [talking_faces.GRID, talking_faces.LRW])
def test_what_is_said_at_a_moment_is_heard_at_that_moment(tmp_path, form):
    path = tmp_path / ("a.mpg" if form is talking_faces.GRID else "a.mp4")
    rng = np.random.default_rng(2)
    burst = rng.standard_normal(4000) / 4
    said = talking_faces.Said(talking_faces.person_of(1, 1), burst, speak_with_events("a", "en", **SAID)[2], 0.5)
    talking_faces.write_video(path, form, said, rng)
    heard = read_video(path, frames_per_clip=form.frames).audio
    assert abs(np.argmax(np.correlate(heard, burst, "valid")) - 8000) <= 16  # a millisecond


SAID = {"rate_wpm": 130, "pitch": 50, "pitch_range": 50}


def test_events_change_no_sound_and_name_words_and_phonemes():
    waveform, rate_hz, events = speak_with_events("place blue at F two now", "en-us+m3", **SAID)
    assert np.array_equal(waveform, speak("place blue at F two now", "en-us+m3", **SAID)[0])
    assert [event.name for event in events if event.kind == "word"] == ["place", "blue", "at", "F", "two", "now"]
    assert [event.name.strip("'") for event in events if event.kind == "phoneme"][:4] == ["p", "l", "eI", "s"]
    times_s = [event.start_s for event in events]
    assert times_s == sorted(times_s)
    assert events[-1].kind == "end" and abs(events[-1].start_s - len(waveform) / rate_hz) < 0.002
    (burst_s,) = (event.start_s for event in events if event.name == "t")
    before, after = (np.abs(waveform[round(s * rate_hz) :][: rate_hz // 50]).max() for s in (burst_s - 0.021, burst_s))
    assert before < 0.1 * after


def test_lips_follow_the_phonemes():
    _, _, events = speak_with_events("papa see fee two", "en-us", **SAID)
    times_s = np.arange(-0.5, 3, 0.005)
    aperture, width, teeth = visemes.tracks(events, times_s, smoothing_s=0.035).T

    def during(name, track):
        at = next(i for i, event in enumerate(events) if event.name.strip("',") == name and event.start_s > 0.2)
        return track[np.searchsorted(times_s, (events[at].start_s + events[at + 1].start_s) / 2)]

    second_p_s = [event.start_s for event in events if event.name == "p"][1]
    assert aperture[np.searchsorted(times_s, second_p_s - 0.025)] < 0.2
    assert aperture[(times_s > 0) & (times_s < second_p_s)].max() > 0.6
    assert during("i:", width) > 0.8 > 0.2 > during("u:", width)
    assert during("f", teeth) > 0.7 > during("u:", teeth)
    assert np.allclose([aperture[0], width[0], teeth[0]], visemes.REST, atol=1e-6)
    assert all(track.min() >= 0 and track.max() <= 1 for track in (aperture, width, teeth))


def test_a_face_mesh_sees_what_the_lips_do():
    import cv2

    frame = np.arange(50)
    aperture = 0.5 - 0.5 * np.cos(frame / 1.6) * np.cos(frame / 7)
    lips = np.stack([aperture, np.full(50, 0.5), 0.5 * aperture], axis=1)
    correlations = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        person = looks.face(rng, woman=seed % 3 == 0)
        drawn = faces.frames(person, lips, height=288, width=360, noise=3.0, rng=rng)
        gaps = lip_gaps([cv2.cvtColor(yuv, cv2.COLOR_YUV2RGB_I420) for yuv in drawn])
        by_lag = [np.corrcoef(gaps[3:-3], np.roll(aperture, lag)[3:-3])[0, 1] for lag in range(-3, 4)]
        assert np.argmax(by_lag) == 3
        correlations.append(by_lag[3])
    assert np.mean(correlations) > 0.85


def test_a_larger_corpus_holds_the_smaller_one_bit_by_bit(words, tmp_path):
    talking_faces.write_lrw(tmp_path, seed=1, words=WORDS[:1], train_clips_per_word=1, other_clips_per_word=1)
    written = sorted(path for path in (tmp_path / "lipread_mp4").rglob("*") if path.is_file())
    assert len(written) == 6
    for path in written:
        twin = words / path.relative_to(tmp_path)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(twin.read_bytes()).digest()


def test_a_word_that_is_run_together_with_its_neighbour_is_refused(tmp_path):
    with pytest.raises(ValueError, match="runs 'the' together with its neighbour"):
        talking_faces.write_lrw(tmp_path, seed=1, words=["THE"], train_clips_per_word=1, other_clips_per_word=1)
