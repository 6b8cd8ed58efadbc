"""The front end against librosa, its gradients, and that a clip does not see its batch mates."""

import librosa
import numpy as np
import pytest
import torch

from stages.features.log_mel import LogMel, cut, starts


def clips(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(9000, 40000, count)
    return [(rng.standard_normal(n) * np.exp(-np.linspace(0, rng.uniform(0, 8), n)) * 0.1).astype("f") for n in lengths]


def batch(waveforms):
    lengths = torch.tensor([len(w) for w in waveforms])
    padded = torch.zeros(len(waveforms), int(lengths.max()))
    for row, wave in zip(padded, waveforms):
        row[: len(wave)] = torch.from_numpy(wave)
    return padded, lengths


@pytest.mark.parametrize(("magnitude", "top_db", "hop"), [(False, None, 512), (True, 80, 128)])
def test_equal_to_librosa_for_every_clip_of_a_batch(magnitude, top_db, hop):
    waveforms = clips(5)
    front_end = LogMel(sample_rate_hz=32000, hop_length=hop, magnitude=magnitude, top_db=top_db).double()
    padded, lengths = batch(waveforms)
    ours = front_end(padded.double(), lengths)
    for wave, row, frames in zip(waveforms, ours, front_end.frames(lengths)):
        mel = librosa.feature.melspectrogram(
            y=wave.astype("d"),
            sr=32000,
            n_fft=1024,
            hop_length=hop,
            n_mels=64,
            power=1 if magnitude else 2,
            pad_mode="constant",
        )
        if magnitude:
            theirs = librosa.amplitude_to_db(mel, ref=np.max, amin=1e-10, top_db=top_db)
        else:
            theirs = librosa.power_to_db(mel, ref=np.max, amin=1e-10, top_db=top_db)
        assert np.abs(row[:, :frames].numpy() - theirs).max() < 1e-4
        assert (row[:, frames:] == row[:, :frames].min()).all()


def test_in_float32_too():
    (wave,) = clips(1, seed=3)
    ours = LogMel(sample_rate_hz=32000)(*batch([wave]))[0].numpy()
    mel = librosa.feature.melspectrogram(y=wave, sr=32000, n_fft=1024, hop_length=512, n_mels=64, pad_mode="constant")
    assert np.abs(ours - librosa.power_to_db(mel, ref=np.max, top_db=None)).max() < 1e-2
    assert np.median(np.abs(ours - librosa.power_to_db(mel, ref=np.max, top_db=None))) < 1e-4


@pytest.mark.parametrize("magnitude", [False, True])
def test_gradient_against_finite_differences(magnitude):
    torch.manual_seed(0)
    front_end = LogMel(
        sample_rate_hz=32000, window_length=64, hop_length=32, mels=8, magnitude=magnitude, top_db=80
    ).double()
    wave = 0.1 * torch.randn(2, 200, dtype=torch.float64)
    wave[1, 150:] = 0
    weights = torch.randn(2, 8, 7, dtype=torch.float64)
    lengths = torch.tensor([200, 150])
    wave.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: (front_end(x, lengths) * weights).sum(), (wave,), atol=1e-4)


@pytest.mark.parametrize("magnitude", [False, True])
def test_silence_has_a_zero_gradient_and_no_nan(magnitude):
    front_end = LogMel(sample_rate_hz=32000, magnitude=magnitude, top_db=80)
    wave = torch.zeros(2, 8000)
    wave[1, :4000] = 0.1 * torch.randn(4000)
    wave.requires_grad_()
    front_end(wave, torch.tensor([8000, 8000])).sum().backward()
    assert wave.grad.isfinite().all()
    assert (wave.grad[0] == 0).all()


@pytest.mark.parametrize(
    ("length", "expected"),
    [(10, [0]), (128, [0]), (159, [0]), (160, [0, 32]), (256, [0, 128]), (300, [0, 128, 172]), (287, [0, 128])],
)
def test_where_chunks_begin(length, expected):
    """A remainder under 32 is left out; a longer one is covered by a chunk that ends where the clip ends."""
    assert starts(length, 128, 32) == expected


def test_chunks_hold_what_their_clip_holds():
    sequences = torch.arange(2 * 3 * 300.0).view(2, 3, 300)
    chunks, owners = cut(sequences, torch.tensor([300, 130]), size=128, least=32)
    assert owners.tolist() == [0, 0, 0, 1]
    for chunk, (clip, begin) in zip(chunks, [(0, 0), (0, 128), (0, 172), (1, 0)]):
        assert torch.equal(chunk, sequences[clip, :, begin : begin + 128])
