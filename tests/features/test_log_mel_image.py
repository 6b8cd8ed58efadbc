"""Log-mel images against scipy and librosa, how clips are made equally long, gradients, and the way back to sound."""

import math
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.signal
import soundfile
import torch
from torchaudio.functional import resample

from stages import victim
from stages.features.log_mel_image import FLOOR, LogMelImage, build
from stages.frame import parameters
from stages.frame.errors import UserError
from stages.victim import padded_batch

ROOT = Path(__file__).resolve().parents[2]
EMOVO = ROOT.parent / "shared" / "corpora" / "EMOVO"
PAPER = {
    "sample_rate_hz": 16000,
    "window_length": 512,
    "hop_length": 256,
    "mels": 64,
    "lowest_hz": 20.0,
    "frames": 373,
    "fit": "tile",
}
FITS = pytest.mark.parametrize("fit", ["tile", "resize", "zero"])


def front_end(**changes) -> LogMelImage:
    return build(**{**PAPER, **changes})


def noises(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [(0.1 * rng.standard_normal(n) * np.linspace(1, 0.01, n)).astype("f") for n in lengths]


def images(module, waveforms):
    inputs = padded_batch(waveforms, "cpu")
    return module(inputs["audio"].to(module.window.dtype), inputs["audio_length"])


def reference(waveform, hop=256):
    """The image (frames, mels) of one clip as the group's code makes it, of scipy's and librosa's parts."""
    waveform = np.pad(waveform.astype("d"), (0, max(0, 512 - len(waveform))))
    _, _, magnitude = scipy.signal.spectrogram(
        waveform, window=np.hamming(512), nperseg=512, noverlap=512 - hop, detrend=False, mode="magnitude"
    )
    filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=64, fmin=20, fmax=8000, dtype=np.float64)
    return np.log(filters @ magnitude + FLOOR).T


@pytest.mark.parametrize("hop", [256, 512, 200])
def test_equal_to_scipy_and_librosa_for_every_clip_of_a_batch(hop):
    waveforms = noises([20000, 9000, 512, 30001])
    waveforms[1][3000:5000] = 0
    for clip, image in zip(waveforms, images(front_end(hop_length=hop, fit="zero").double(), waveforms)):
        expected = reference(clip, hop)
        assert np.abs(image[: len(expected)].numpy() - expected).max() < 1e-4
        assert (image[len(expected) :] == math.log(FLOOR)).all()


def test_in_float32_too():
    waveforms = noises([95744, 40000])
    made = images(front_end(), waveforms)
    assert made.dtype == torch.float32
    for clip, image in zip(waveforms, made):
        expected = reference(clip)
        assert np.abs(image[: len(expected)].numpy() - expected).max() < 1e-3


@pytest.mark.parametrize(
    ("samples", "frames"),
    [(1, 1), (512, 1), (767, 1), (768, 2), (95743, 372), (95744, 373), (95999, 373), (96000, 374)],
)
def test_number_of_frames(samples, frames):
    assert front_end().frames_of(torch.tensor([samples])).item() == frames


def test_shorter_clips_are_repeated_in_time():
    (image,) = images(front_end(frames=20), noises([512 + 6 * 256]))
    assert torch.equal(image[:7], image[7:14])
    assert torch.equal(image[:6], image[14:])
    assert not torch.equal(image[0], image[1])


def test_shorter_clips_are_stretched_linearly():
    clips = noises([512 + 4 * 256])
    (image,), (short,) = images(front_end(frames=21, fit="resize"), clips), images(front_end(frames=5), clips)
    for mel in range(64):
        expected = np.interp(np.arange(21) / 5, np.arange(5), short[:, mel].numpy())
        assert np.allclose(image[:, mel].numpy(), expected, atol=1e-5)


@FITS
def test_clips_that_fill_an_image_are_the_same_in_every_fit_and_longer_ones_are_cut(fit):
    (clip,) = noises([512 + 40 * 256])
    whole = images(front_end(frames=41), [clip])[0]
    assert torch.equal(images(front_end(frames=41, fit=fit), [clip])[0], whole)
    assert torch.allclose(images(front_end(frames=30, fit=fit), [clip])[0], whole[:30], atol=1e-5)


@FITS
def test_neither_batch_mates_nor_what_lies_after_the_end_have_any_influence(fit):
    module, clips = front_end(frames=60, fit=fit), noises([30000, 6000, 300, 512, 1])
    inputs = padded_batch(clips, "cpu")
    together = module(inputs["audio"], inputs["audio_length"])
    for row, clip in enumerate(clips):
        inputs["audio"][row, len(clip) :] = 0.5
        assert torch.allclose(images(module, [clip])[0], together[row], atol=1e-4)
    assert torch.equal(module(inputs["audio"], inputs["audio_length"]), together)


@FITS
def test_gradient_against_finite_differences(fit):
    module = front_end(window_length=32, hop_length=16, mels=4, frames=7, fit=fit).double()
    torch.manual_seed(0)
    wave = (0.1 * torch.randn(3, 90, dtype=torch.float64)).requires_grad_()
    weights = torch.randn(7, 4, dtype=torch.float64)
    lengths = torch.tensor([90, 60, 20])
    assert torch.autograd.gradcheck(lambda x: (module(x, lengths) * weights).sum(), (wave,), atol=1e-4)
    (module(wave, lengths) * weights).sum().backward()
    assert (wave.grad[1, 60:] == 0).all()
    assert (wave.grad[2, 20:] == 0).all()


@FITS
def test_silence_is_the_floor_with_a_finite_gradient(fit):
    wave = torch.zeros(3, 20000)
    wave[1, :9000] = 0.1 * torch.randn(9000, generator=torch.Generator().manual_seed(0))
    wave[2, 5000] = 1e-30
    wave.requires_grad_()
    made = front_end(fit=fit)(wave, torch.tensor([20000, 20000, 20000]))
    made.sum().backward()
    assert torch.allclose(made[0], torch.full_like(made[0], math.log(FLOOR)), atol=1e-4)
    assert wave.grad.isfinite().all()
    assert (wave.grad[0] == 0).all()


def test_bind_checks_its_parameters_and_a_network_learns_of_its_mels():
    values = {key: value for key, value in PAPER.items() if key != "sample_rate_hz"}
    module = parameters.bind(build, "features.x", {**values, "sample_rate_hz": 16000})()
    assert isinstance(module, LogMelImage)
    assert module.signal == {"mels": 64}
    assert isinstance(victim.front_end("log_mel_image", PAPER, where="features.x"), LogMelImage)
    with pytest.raises(UserError, match=r"features.x.parameters.fit: expected one of 'tile', 'resize', 'zero'"):
        victim.front_end("log_mel_image", {**PAPER, "fit": "loop"}, where="features.x")
    with pytest.raises(UserError, match=r"features.x.parameters.lowest_hz: expected a number >= 0"):
        victim.front_end("log_mel_image", {**PAPER, "lowest_hz": -1}, where="features.x")
    with pytest.raises(UserError, match="hop_length of log_mel_image: expected at most window_length, 512; found 513"):
        front_end(hop_length=513)


@pytest.mark.parametrize(("hop", "worst"), [(512, 0.02), (256, 0.1)])
def test_the_sound_of_an_image_has_nearly_that_image(hop, worst):
    """Mean errors in nats, beside those of the image's own spread."""
    module = front_end(hop_length=hop, frames=64, fit="zero")
    clean = images(module, noises([30000, 9000]))
    dirty = clean + 0.2 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1)).sign()
    for image in (clean, dirty):
        sound = module.invert(image, iterations=32)
        assert sound.shape[1] == 512 + 63 * hop
        again = module(sound, torch.tensor([sound.shape[1]] * 2))
        audible = image > math.log(FLOOR) + 1
        assert (again - image)[audible].abs().mean() < worst < 0.1 * image.std()
        rough = module(module.invert(image, iterations=0), torch.tensor([sound.shape[1]] * 2))
        assert (again - image)[audible].abs().mean() < 0.2 * (rough - image)[audible].abs().mean()


def test_inversion_is_deterministic_blind_to_batch_mates_and_within_the_range():
    module = front_end(frames=30)
    image = images(module, noises([6000, 6000, 6000])) + torch.tensor([0.0, 8.0, 0.0])[:, None, None]
    image[2] = math.log(FLOOR)
    sound = module.invert(image, iterations=8)
    assert torch.equal(sound, module.invert(image, iterations=8))
    alone = torch.cat([module.invert(one[None], iterations=8) for one in image])
    assert torch.allclose(sound, alone, atol=1e-4)
    assert sound.min() == -1
    assert 0.999 < sound.max() < 1
    assert (sound[2] == 0).all()


@pytest.mark.skipif(not EMOVO.is_dir(), reason="the corpus EMOVO is not beside the repository")
def test_real_speech_comes_back():
    module = front_end()
    read = [soundfile.read(path, dtype="float32", always_2d=True) for path in sorted(EMOVO.rglob("*-f1-b1.wav"))[:4]]
    assert len(read) == 4
    clips = [resample(torch.from_numpy(audio.mean(1)), rate, 16000).numpy() for audio, rate in read]
    image = images(module, clips)
    sound = module.invert(image, iterations=32)
    again = module(sound, torch.tensor([sound.shape[1]] * 4))
    assert sound.shape == (4, 95744)
    assert (again - image).abs().mean() < 0.08
    assert sound.abs().max() < 1
