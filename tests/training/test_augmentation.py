"""What varies batches of sound and pictures in training: how often, how much, and within the range of values."""

import numpy as np
import torch

from stages.training import augmentation


def batch(clips=400, level=100.0, audio=0.2):
    video = torch.full((clips, 2, 6, 6), level)
    return {"video": video, "audio": torch.full((clips, 50), audio), "video_length": torch.full((clips,), 2)}


def test_noise_is_no_louder_than_it_may_be_and_on_its_share_of_the_clips():
    inputs = batch()
    noise = augmentation.Noise(audio_levels=1024.0, video_levels=16.0, share=0.5)
    made = augmentation.with_noise(inputs, noise, np.random.default_rng(0))
    for name, largest in (("audio", 1024 / 32768), ("video", 16.0)):
        delta = (made[name] - inputs[name]).flatten(1)
        peaks = delta.abs().amax(1)
        touched = peaks > 0
        assert 0.4 < touched.float().mean() < 0.6
        assert 0.9 * largest < peaks.max() <= largest * (1 + 1e-5)
        # Amplitudes of all sizes; of half of the clips signs alone.
        assert 0.4 < (peaks[touched] < largest / 2).float().mean() < 0.6
        signs = ((delta.abs() - peaks[:, None]).abs() < 1e-4 * largest).all(1)[touched]
        assert 0.35 < signs.float().mean() < 0.65
    noisy = [(made[name] - inputs[name]).flatten(1).abs().amax(1) > 0 for name in ("audio", "video")]
    assert 0.35 < (noisy[0] == noisy[1]).float().mean() < 0.65
    assert torch.equal(made["video_length"], inputs["video_length"])


def test_other_sounds_are_as_far_below_a_clip_as_they_may_be():
    """Of half of the clips that get any they are the clip before's, which here is a tone; else white."""
    tone = torch.sin(torch.arange(1600) * 0.3)
    inputs = {"audio": 0.1 * torch.stack([tone, tone.flip(0)]).repeat(200, 1)}
    sounds = augmentation.Sounds(lowest_snr_db=-5.0, highest_snr_db=20.0, share=0.5)
    made = augmentation.with_sounds(inputs, sounds, np.random.default_rng(0))["audio"]
    added = made - inputs["audio"]
    touched = added.abs().amax(1) > 0
    assert 0.4 < touched.float().mean() < 0.6
    snr_db = 20 * torch.log10(inputs["audio"].norm(dim=1) / added.norm(dim=1))[touched]
    assert -5.01 <= snr_db.min() < -4.5 and 19 < snr_db.max() <= 20.01 and 6 < snr_db.mean() < 9
    voices = torch.cosine_similarity(added, inputs["audio"].roll(1, 0))[touched].abs() > 0.99
    assert 0.35 < voices.float().mean() < 0.65


def test_white_noise_is_as_loud_as_it_is_to_be():
    inputs = {"audio": 0.01 * torch.ones(3, 4000)}
    added = augmentation.in_white_noise(inputs, 6.0, 1)["audio"] - inputs["audio"]
    assert torch.allclose(added.norm(dim=1), inputs["audio"].norm(dim=1) / 10**0.3, rtol=1e-3)
    assert added.mean().abs() < 1e-3 and not torch.equal(added[0], added[1])


def test_noise_on_none_and_all_and_within_the_range():
    for share, expected in ((0.0, 0), (1.0, 400)):
        noise = augmentation.Noise(audio_levels=32768.0, video_levels=255.0, share=share)
        made = augmentation.with_noise(batch(), noise, np.random.default_rng(0))
        assert all((made[name] != batch()[name]).flatten(1).any(1).sum() == expected for name in ("audio", "video"))
        assert made["audio"].abs().max() <= 1 and made["video"].min() >= 0 and made["video"].max() <= 255
    alone = augmentation.with_noise({"audio": batch()["audio"]}, noise, np.random.default_rng(0))
    assert list(alone) == ["audio"]


def test_batches_vary_within_their_ranges():
    rng = np.random.default_rng(0)
    ramp = torch.arange(18.0).expand(400, 2, 18, 18)
    made = augmentation.varied({"video": 100 + ramp, "audio": batch()["audio"]}, 16, rng)
    assert made["video"].shape == (400, 2, 16, 16)
    # Columns rise by the contrast, or fall in pictures that are mirrored.
    slope = (made["video"][..., 1:] - made["video"][..., :-1]).flatten(1).mean(1)
    assert 0.4 < (slope < 0).float().mean() < 0.6
    assert 0.8 <= slope.abs().min() < 0.82 and 1.18 < slope.abs().max() <= 1.2
    gain_db = 20 * torch.log10(made["audio"][:, 0] / 0.2)
    assert -6.01 <= gain_db.min() < -5.8 and 5.8 < gain_db.max() <= 6.01
    for level, audio in ((0.0, 1.0), (255.0, -1.0)):
        extreme = augmentation.varied(batch(level=level, audio=audio), 6, rng)
        assert extreme["video"].min() >= 0 and extreme["video"].max() <= 255 and extreme["audio"].abs().max() <= 1
    middle = augmentation.varied(batch(level=128.0), 6, rng)["video"] - 128
    assert 19 < middle.max() <= 20 and -20 <= middle.min() < -19
    assert list(augmentation.varied({"audio": batch()["audio"]}, 6, rng)) == ["audio"]
