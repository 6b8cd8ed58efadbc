"""Landmarks and crops of a real face that moves as we say, and of real clips."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pytest
import torch

from stages.features.carried import carried
from stages.features.face_mesh import landmarks
from stages.features.mouth_crops import LIPS, crops
from stages.features.video import read_video
from stages.frame.errors import UserError

ROOT = Path(__file__).parents[2]
GRID = ROOT.parent / "shared" / "corpora" / "GRID" / "s1" / "video"
HEIGHT, WIDTH, COUNT = 288, 360, 30


def photograph() -> np.ndarray:
    """The portrait that comes with matplotlib, RGB; the face is some 200 pixels high."""
    return cv2.cvtColor(
        cv2.imread(str(Path(mpl.get_data_path(), "sample_data", "grace_hopper.jpg"))), cv2.COLOR_BGR2RGB
    )


def motion(count: int) -> np.ndarray:
    """Maps from the photograph to `count` frames: the head turns by up to 6 degrees, nears by a tenth, and drifts."""
    phase = np.linspace(0, 2 * np.pi, count)
    turn = 0.7 * (1 + 0.1 * np.sin(phase)) * np.exp(1j * np.radians(6) * np.sin(phase))
    to = (180 + 12 * np.sin(phase)) + 1j * (140 + 6 * np.cos(phase))
    shift = to - turn * (275 + 175j)
    return np.stack([turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag], axis=1).reshape(-1, 2, 3)


def filmed(maps: np.ndarray) -> np.ndarray:
    return np.stack([cv2.warpAffine(photograph(), own, (WIDTH, HEIGHT), borderValue=(128,) * 3) for own in maps])


def mapped(points: np.ndarray, maps: np.ndarray) -> np.ndarray:
    return np.einsum("fij,fpj->fpi", maps, np.concatenate([points, np.ones_like(points[..., :1])], axis=-1))


def joined(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The affine maps `first` and then `second`."""
    square = np.concatenate([first, np.broadcast_to([[[0.0, 0, 1]]], (len(first), 1, 3))], axis=1)
    return second @ square


@pytest.fixture(scope="module")
def clip() -> tuple[np.ndarray, np.ndarray]:
    """Frames, and the landmarks found in them."""
    frames = filmed(motion(COUNT))
    points, found, faces = landmarks(frames)
    assert found.all() and (faces == 1).all()
    return frames, points


def test_points_move_with_the_face(clip):
    _, points = clip
    inverse = np.stack([cv2.invertAffineTransform(own) for own in motion(COUNT)])
    on_photograph = mapped(points, inverse)
    strayed = np.linalg.norm(on_photograph - np.median(on_photograph, axis=0), axis=-1)
    assert np.median(strayed) < 1
    assert points.dtype == np.float32 and points.shape == (COUNT, 468, 2)


def test_whole_numbers_are_the_centres_of_pixels(clip):
    frames, points = clip
    mirrored, _, _ = landmarks(frames[:, :, ::-1].copy())
    eyes, mirrored_eyes = (
        own[:, of, 0] for own, of in ((points, [33, 133, 362, 263]), (mirrored, [263, 362, 133, 33]))
    )
    assert (eyes + mirrored_eyes).mean() == pytest.approx(WIDTH - 1, abs=0.4)


def test_crop_stands_still_and_upright_while_the_head_moves(clip):
    frames, points = clip
    made = crops(frames, points, size=96)
    from_photograph = joined(made["frame_to_mouth"].astype(float), motion(COUNT))
    # The corners of the crop, where it shows most: of its 150 pixels of the photograph they leave a few.
    corners = np.stack([cv2.invertAffineTransform(own) for own in from_photograph]) @ np.array(
        [[0, 95, 0, 95], [0, 0, 95, 95], [1, 1, 1, 1]]
    )
    assert np.abs(corners - np.median(corners, axis=0)).max() < 6
    lips = mapped(points, made["frame_to_mouth"])[:, LIPS].mean(axis=1)
    assert np.abs(np.median(lips, axis=0) - 47.5).max() < 1
    eyes = mapped(points, made["frame_to_mouth"])[:, [33, 263]]
    assert np.abs(np.diff(eyes[..., 1])).max() < 4
    assert np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1) == pytest.approx(74, abs=8)


def test_crop_does_not_follow_the_lips(clip):
    frames, points = clip
    opened = points.copy()
    opened[5:12, LIPS, 1] += 8
    before, after = (crops(frames, own, size=96)["frame_to_mouth"] for own in (points, opened))
    assert np.abs(before - after).max() < 1


@pytest.mark.parametrize("size", [96, 40])
@pytest.mark.parametrize("axis", [0, 1])
def test_maps_say_where_each_pixel_comes_from(clip, size, axis):
    # Frames whose brightness tells x or y, four steps a pixel: the crop then says from where it was taken.
    _, points = clip
    first = np.median(points[:, LIPS, axis]) - 32
    ramp = np.clip(4 * (np.mgrid[:HEIGHT, :WIDTH][1 - axis] - round(first)), 0, 255).astype(np.uint8)
    ramps = np.broadcast_to(ramp[..., None], (COUNT, HEIGHT, WIDTH, 3)).copy()
    made = crops(ramps, points, size=size, face_size=224)
    for name, maps, side in (("video", "frame_to_mouth", size), ("faces", "frame_to_face", 224)):
        inverse = np.stack([cv2.invertAffineTransform(own) for own in made[maps].astype(float)])
        pixels = np.stack([*np.mgrid[:side, :side][::-1], np.ones((side, side))])
        come_from = np.einsum("fij,jyx->fiyx", inverse, pixels)
        expected = 4 * (come_from[:, axis] - round(first))
        values = made[name].reshape(COUNT, side, side, -1)[..., 0]
        inside = (come_from[:, 0] < WIDTH - 2) & (come_from[:, 1] < HEIGHT - 2)
        wrong = (values - expected)[inside & (expected > 15) & (expected < 240)]
        assert len(wrong) > 0.1 * values.size
        # A quarter of a pixel at most, an eighth in the mean: what rounding does.
        assert np.abs(wrong).max() <= 1.5
        assert abs(wrong.mean()) < 0.5


def test_faces_are_what_syncnet_is_shown(clip):
    frames, points = clip
    made = crops(frames, points, size=48, face_size=224)
    assert made["video"].shape == (COUNT, 48, 48) and made["faces"].shape == (COUNT, 224, 224, 3)
    box = mapped(points, made["frame_to_face"])
    width, height = np.ptp(box, axis=1).T
    # A square 1.4 times the box's longer side, as much on the left as on the right, and nothing above it.
    assert np.maximum(width, height) == pytest.approx(224 / 1.4, abs=8)
    assert (box.min(axis=1) + box.max(axis=1))[:, 0] / 2 == pytest.approx(111.5, abs=4)
    assert box.min(axis=1)[:, 1] == pytest.approx((np.maximum(width, height) - height) / 2, abs=8)
    # Her lips are red: in the last channel, as the first is blue. Beyond the frame it is grey 110.
    mouth = made["faces"][0][tuple(np.rint(box[0, LIPS].mean(axis=0)).astype(int)[::-1])]
    assert int(mouth[2]) > int(mouth[0]) + 20
    low = crops(frames, points + np.float32([0, 250]), size=48, face_size=224)["faces"]
    assert (low[:, -1] == 110).all()


def impulse(at: tuple[int, int]) -> torch.Tensor:
    image = torch.zeros(COUNT, 96, 96)
    image[:, at[1], at[0]] = 1
    return image


def test_perturbation_of_the_mouth_lands_on_the_same_place_of_the_face(clip):
    made = {name: torch.from_numpy(array) for name, array in crops(*clip, size=96, face_size=224).items()}
    maps = made["frame_to_mouth"], made["frame_to_face"]
    inverse = np.stack([cv2.invertAffineTransform(own) for own in maps[0].double().numpy()])
    for at in ((20, 30), (70, 80)):
        image = carried(impulse(at), *maps, 224)
        rows, columns = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
        middle = torch.stack([(image * axis).sum((1, 2)) / image.sum((1, 2)) for axis in (columns, rows)], dim=1)
        place = joined(maps[1].double().numpy(), inverse) @ [*at, 1]
        assert np.abs(middle.numpy() - place).max() < 0.5
    # The mouth's crop itself, carried over, is what the face's crop shows there.
    inside = carried(torch.ones(COUNT, 96, 96), *maps, 224) == 1
    assert 0.1 < inside.float().mean() < 0.5
    grey = np.stack([cv2.cvtColor(face, cv2.COLOR_BGR2GRAY) for face in made["faces"].numpy()]).astype(np.float32)
    shown = carried(made["video"].float(), *maps, 224)
    here, beside = ((shown - torch.from_numpy(grey).roll(by, 2))[inside].abs().mean() for by in (0, 2))
    assert here < 4 < 2 * here < beside


def test_carried_by_a_known_map_is_exact_and_differentiable_and_takes_batches():
    # The face's crop has the mouth's at twice its size, 10 pixels to the right and 6 below.
    mouth = torch.eye(2, 3).expand(2, 3, 2, 3)
    face = torch.tensor([[2.0, 0, 10], [0, 2, 6]]).expand(2, 3, 2, 3)
    delta = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    image = carried(delta, mouth, face, 32)
    assert image.shape == (2, 3, 32, 32)
    torch.testing.assert_close(image[:, :, 6:22:2, 10:26:2], delta)
    torch.testing.assert_close(image[:, :, 6, 11], (delta[:, :, 0, 0] + delta[:, :, 0, 1]) / 2)
    assert not image[..., :4, :].any() and not image[..., 24:, :].any() and not image[..., :8].any()
    (gradient,) = torch.autograd.grad(image.sum(), delta)
    assert gradient.min() > 3 and gradient.max() < 5
    torch.testing.assert_close(carried(delta[1], mouth[1], face[1], 32), image[1])


def test_frames_without_a_face_are_told_and_bridged(clip):
    frames, points = clip
    hidden = frames.copy()
    hidden[:3] = hidden[12:15] = 128
    bridged, found, faces = landmarks(hidden)
    assert np.flatnonzero(~found).tolist() == [0, 1, 2, 12, 13, 14] == np.flatnonzero(faces == 0).tolist()
    assert np.abs(bridged - points)[found].mean() < 1.5
    assert np.array_equal(bridged[0], bridged[3])
    np.testing.assert_allclose(bridged[13], (bridged[11] + bridged[15]) / 2, atol=1e-3)


def test_face_that_is_first_seen_late_is_followed_to_the_beginning(clip):
    frames, points = clip
    dim = frames.copy()
    dim[:8] = np.rint(128 + 0.02 * (frames[:8].astype(float) - 128))
    followed, found, faces = landmarks(dim)
    assert found.all() and (faces == 1).all()
    assert np.abs(followed - points)[:8].mean() < 4
    with pytest.raises(UserError):
        landmarks(dim[:8])


def test_no_face_at_all():
    with pytest.raises(UserError, match=r"a/b.mpg: expected a face; found none in 5 frames; "):
        landmarks(np.full((5, HEIGHT, WIDTH, 3), 128, np.uint8), "a/b.mpg")


@pytest.mark.parametrize("larger", ["left", "right"])
def test_of_two_faces_the_larger_is_kept_and_both_are_told(larger):
    frames = filmed(motion(COUNT))
    small = np.full_like(frames, 128)
    small[:, 60:252, 60:300] = np.stack([cv2.resize(frame, (240, 192)) for frame in frames])
    pair = [frames, small] if larger == "left" else [small, frames]
    points, found, faces = landmarks(np.concatenate(pair, axis=2))
    assert found.all() and (faces == 2).mean() > 0.9
    assert ((points[..., 0].mean(axis=1) < WIDTH) == (larger == "left")).all()


def test_clip_is_the_same_whatever_came_before_it(clip, capfd):
    frames, points = clip
    landmarks(frames[:, :, ::-1].copy())
    assert np.array_equal(landmarks(frames)[0], points)
    assert capfd.readouterr() == ("", "")


def test_machine_without_libgl_is_told_what_to_install(tmp_path):
    message = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({message!r})")
    program = (
        "import numpy; from stages.features import face_mesh; face_mesh.landmarks(numpy.zeros((1, 9, 9, 3), 'uint8'))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert "UserError: the Python package opencv: expected to load; found libGL.so.1" in done.stderr
    assert "libgl1" in done.stderr.splitlines()[-1]


# The second begins with frames of which half is missing, the last has a frame less than it should.
@pytest.mark.parametrize(
    ("name", "without_face", "added"), [("bbaz5s", 0, 0), ("bbizzn", 4, 0), ("pwbk3a", 0, 0), ("srwi5a", 0, 1)]
)
def test_real_clip(name, without_face, added):
    if not GRID.is_dir():
        pytest.skip("the real clips are not on this machine")
    video = read_video(GRID / f"{name}.mpg", frames_per_clip=75)
    points, found, faces = landmarks(video.frames)
    assert (len(video.frames), len(video.audio), video.frames_added) == (75, 48000, added)
    assert ((~found).sum(), faces.max()) == (without_face, 1)
    made = crops(video.frames, points, size=96)
    lips = mapped(points, made["frame_to_mouth"])[:, LIPS].mean(axis=1) - 47.5
    assert np.abs(np.median(lips, axis=0)).max() < 2
    assert np.abs(lips).max() < 8
    shown = made["video"][found]
    # The slit between the lips is darker than the skin beside the mouth.
    assert shown[:, 44:52, 40:56].min(axis=1).mean() < shown[:, 44:52, 6:14].mean() - 15
