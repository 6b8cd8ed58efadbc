"""Rooms: what is read of a folder, and that playing is convolution, of a clip's own samples alone, with a gradient."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import fftconvolve

from stages.features.playback import REACH, band_passed, played, read_responses
from stages.frame.errors import UserError

RATE_HZ = 16_000
REAL = Path(__file__).parents[2] / "../shared/corpora/impulse_responses"


def decaying(seed: int, taps: int = 300, delay: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tail = 0.3 * rng.standard_normal(taps).clip(-1.5, 1.5) * 10 ** (-np.arange(taps) / 100)
    tail[0] = -0.8
    return np.concatenate([0.01 * rng.standard_normal(delay).clip(-3, 3), tail])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "far").mkdir()
    for number in range(9):
        path = tmp_path / ("far" if number % 2 else ".") / f"room{number}.{'flac' if number % 3 else 'wav'}"
        soundfile.write(path, decaying(number, taps=100 + 20 * number), RATE_HZ, subtype="PCM_24")
    (tmp_path / "notes.txt").write_text("no sound")
    return tmp_path


def test_responses_begin_with_the_direct_sound_and_have_energy_one(folder):
    responses = read_responses(folder, sample_rate_hz=RATE_HZ, held_out=False)
    assert responses.dtype == torch.float32
    assert torch.allclose(responses.square().sum(1), torch.ones(len(responses)), atol=1e-5)
    assert (responses[:, 0] < 0).all()
    assert (responses[:, 0] == -responses.abs().amax(1)).all()
    ends = {int(row.nonzero().max()) + 1 for row in responses}
    assert ends <= {100 + 20 * number for number in range(9)}
    number = (int(responses[0].nonzero().max()) + 1 - 100) // 20
    wanted = decaying(number, taps=100 + 20 * number)[40:]
    assert np.abs(responses[0, : len(wanted)].numpy() - wanted / np.linalg.norm(wanted)).max() < 1e-5


def test_every_third_room_is_held_out(folder):
    kept, held = (read_responses(folder, sample_rate_hz=RATE_HZ, held_out=one) for one in (False, True))
    assert (len(kept), len(held)) == (6, 3)
    ends = [{int(row.nonzero().max()) for row in rows} for rows in (kept, held)]
    assert len(ends[0] | ends[1]) == 9
    again = read_responses(folder, sample_rate_hz=RATE_HZ, held_out=True)
    assert torch.equal(held, again)


def test_two_files_are_one_to_train_on_and_one_to_hold_out(tmp_path):
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", decaying(number), RATE_HZ)
    kept, held = (read_responses(tmp_path, sample_rate_hz=RATE_HZ, held_out=one) for one in (False, True))
    assert len(kept) == len(held) == 1
    assert not torch.equal(kept, held)


def test_every_recording_is_a_room_and_what_machines_leave_is_none(tmp_path, capsys):
    for number, name in enumerate(("a.WAV", "b.aiff", "c.wav")):
        soundfile.write(tmp_path / name, decaying(number), RATE_HZ)
    (tmp_path / "__MACOSX").mkdir()
    for name in ("._a.wav", ".DS_Store", "__MACOSX/a.wav"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7" + bytes(100))
    (tmp_path / "d.m4a").write_bytes(b"not one that is read")
    kept, held = (read_responses(tmp_path, sample_rate_hz=RATE_HZ, held_out=one) for one in (False, True))
    assert (len(kept), len(held)) == (2, 1)
    assert f"{tmp_path}: not taken are 1 .m4a" in capsys.readouterr().err


def test_a_response_cut_short_is_told_in_any_format(tmp_path):
    for name in ("a.aiff", "b.aiff"):
        soundfile.write(tmp_path / name, decaying(0), RATE_HZ)
    contents = (tmp_path / "a.aiff").read_bytes()
    (tmp_path / "a.aiff").write_bytes(contents[:-10])
    with pytest.raises(UserError, match=r"a\.aiff: expected 734 bytes, as its header says; found 724 bytes"):
        for held_out in (False, True):
            read_responses(tmp_path, sample_rate_hz=RATE_HZ, held_out=held_out)


def test_a_response_longer_than_one_may_be_is_not_read(folder):
    soundfile.write(folder / "long.wav", decaying(0, taps=31_000), 1000)
    told = r"long\.wav: expected at most 30 s, the parameter longest_s; found 31\.04 s"
    with pytest.raises(UserError, match=told):
        for held_out in (False, True):
            read_responses(folder, sample_rate_hz=RATE_HZ, held_out=held_out)
    for held_out in (False, True):
        assert len(read_responses(folder, sample_rate_hz=RATE_HZ, held_out=held_out, longest_s=32.0))


def test_other_rates_are_resampled(tmp_path):
    time_s = np.arange(4800) / 48_000
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", 0.9 * np.cos(2000 * np.pi * time_s) * np.exp(-50 * time_s), 48_000)
    response = read_responses(tmp_path, sample_rate_hz=RATE_HZ, held_out=True)[0]
    spectrum = torch.fft.rfft(response, 16_000).abs()
    assert abs(int(spectrum.argmax()) - 1000) < 10
    assert abs(len(response) - 1600) <= 2


@pytest.mark.parametrize(
    ("broken", "message"),
    [("missing", "no such folder"), ("single", "1 sound files"), ("stereo", "2 channels"), ("silent", "silence")],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, broken, message):
    rooms = {"single": 1, "missing": 0}.get(broken, 2)
    sound = {"stereo": np.stack([decaying(0), decaying(1)], 1), "silent": np.zeros(100)}.get(broken, decaying(0))
    for number in range(rooms):
        soundfile.write(tmp_path / f"{number}.wav", sound, RATE_HZ)
    folder = tmp_path / "nowhere" if broken == "missing" else tmp_path
    with pytest.raises(UserError, match=message) as error:
        read_responses(folder, sample_rate_hz=RATE_HZ, held_out=False)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the real impulse responses in ../shared/corpora")
def test_a_measured_hall(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).symlink_to(next(REAL.resolve().glob("*.wav")))
    (response,) = read_responses(tmp_path, sample_rate_hz=RATE_HZ, held_out=True)
    assert response.abs().argmax() == 0
    assert response[RATE_HZ:].square().sum() < 0.05 * response.square().sum()


def clips(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    waveform = 0.1 * torch.randn(3, 700, generator=generator, dtype=dtype)
    responses = torch.from_numpy(np.stack([decaying(number)[40:] for number in range(3)])).to(dtype)
    return waveform, torch.tensor([700, 450, 200]), responses, torch.randn(3, 700, generator=generator, dtype=dtype)


def test_playing_is_convolution_and_noise_of_the_level_asked_for():
    waveform, lengths, responses, noise = clips()
    wet = played(waveform, lengths, responses, noise, None)
    heard = played(waveform, lengths, responses, noise, 20.0)
    for row, length in enumerate(lengths.tolist()):
        wanted = fftconvolve(waveform[row, :length], responses[row])[:length]
        assert np.abs(wet[row, :length].numpy() - wanted).max() < 1e-12
        level = np.sqrt(np.mean(wanted**2)) / 10
        assert np.allclose(heard[row, :length], wanted + level * noise[row, :length].numpy(), atol=1e-12)
        assert (heard[row, length:] == 0).all()
    alike = played(waveform, lengths, responses[:1], noise[:1], 20.0)
    assert torch.allclose(alike, played(waveform, lengths, responses[:1].repeat(3, 1), noise[:1].repeat(3, 1), 20.0))


def test_nothing_after_a_clips_end_has_influence_and_batch_mates_have_none():
    waveform, lengths, responses, noise = clips()
    heard = played(waveform, lengths, responses, noise, 20.0)
    other = waveform.clone()
    other[1, 450:] = 0.9
    assert torch.equal(played(other, lengths, responses, noise, 20.0), heard)
    for row, length in enumerate(lengths.tolist()):
        rows = slice(row, row + 1)
        alone = played(waveform[rows, :length], lengths[rows], responses[rows], noise[rows, :length], 20.0)
        assert torch.allclose(alone[0], heard[row, :length], atol=1e-12)


def test_the_gradient_is_that_of_finite_differences_and_none_of_silence():
    waveform, lengths, responses, noise = clips()
    lengths = torch.tensor([40, 30, 20])
    small = waveform[:, :40].clone().requires_grad_()
    weights = torch.randn(3, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def heard(x):
        return (band_passed(played(x, lengths, responses, noise[:, :40], 10.0), 1e3, 4e3, RATE_HZ) * weights).sum()

    assert torch.autograd.gradcheck(heard, (small,))
    silence = torch.zeros(3, 40, dtype=torch.float64, requires_grad=True)
    played(silence, lengths, responses, noise[:, :40], 10.0).sum().backward()
    assert silence.grad.isfinite().all()


@pytest.mark.parametrize(("hz", "passes"), [(300, False), (900, False), (1100, True), (3900, True), (4100, False)])
def test_the_band_passes_what_is_in_it_without_delay(hz, passes):
    time_s = torch.arange(8000, dtype=torch.float64) / RATE_HZ
    tone = torch.sin(2 * torch.pi * hz * time_s)[None]
    difference = band_passed(tone, 1000, 4000, RATE_HZ) - (tone if passes else 0)
    assert difference[:, REACH:-REACH].abs().max() < 0.01


def test_the_band_pass_reaches_no_further_than_it_says():
    pulse = torch.zeros(1, 2000, dtype=torch.float64)
    pulse[0, 1000] = 1
    heard = band_passed(pulse, 1000, 4000, RATE_HZ)[0]
    assert heard[1000].item() == pytest.approx(2 * 3000 / RATE_HZ)
    assert heard[: 1000 - REACH].abs().max() < 1e-15 and heard[1001 + REACH :].abs().max() < 1e-15
    longer = band_passed(torch.nn.functional.pad(pulse, (0, 777)), 1000, 4000, RATE_HZ)
    assert torch.allclose(longer[0, :2000], heard, atol=1e-15)
