"""The pieces of a clip's own sound that evolution varies: where they are, how loud, and within the bound."""

import numpy as np
import pytest
import torch

from stages.attacking.problem import Setting, norm
from stages.attacks.clips import Clips
from stages.attacks.mel_pieces import Pieces

QUANTUM = 2**-15
BANDS, SEGMENT = 5, 640


def clips(audio, band_hz=None):
    inputs = {"audio": audio, "audio_length": torch.tensor([audio.shape[1]])}
    return Clips(inputs, Setting(bounds={"audio": (-1.0, 1.0)}, quantum={"audio": QUANTUM}), band_hz)


def noise(samples=8000):
    return 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(2))


def pieces(audio, band_hz=None, snr_db=0.0):
    return Pieces(clips(audio, band_hz), snr_db=snr_db, bands=BANDS, segment_s=0.04)


def one_gene(made, segment, band):
    genes = np.zeros((1, made.genes))
    genes[0, segment * BANDS + band] = 1
    return (made.added(genes) - made.clip.clean)[0].double()


def test_a_gene_is_a_band_during_two_segments():
    made = pieces(noise())
    assert (made.segments, made.genes) == (14, 14 * BANDS)
    added = one_gene(made, 4, 2)
    heard = added.nonzero()
    # The first segment begins one before the clip.
    assert heard.min() >= 3 * SEGMENT and heard.max() < 5 * SEGMENT
    centre_hz = 700 * (10 ** (3 / 6 * np.log10(1 + 8000 / 700)) - 1)
    power = torch.fft.rfft(added).abs().square()
    hz = torch.linspace(0, 8000, len(power))
    assert float((power * hz).sum() / power.sum()) == pytest.approx(centre_hz, rel=0.1)


def test_pieces_are_equally_loud_but_for_silence():
    audio = noise()
    audio[:, 4000:] = 0
    made = pieces(audio)
    loudness = made.pieces.norm(dim=-1)
    wanted = torch.full_like(loudness[1:5], made.genes**-0.5)
    torch.testing.assert_close(loudness[1:5], wanted, rtol=1e-4, atol=0)
    made = pieces(torch.zeros_like(audio))
    assert not made.added(np.ones((1, made.genes))).any()


def test_random_genes_are_about_as_loud_as_the_bound_and_none_louder():
    made = pieces(noise(), snr_db=6.0)
    genes = np.random.default_rng(1).standard_normal((8, made.genes))
    for factor, low, high in ((1.0, 0.6, 1.0), (100.0, 0.99, 1.0), (0.1, 0.07, 0.15)):
        size = norm(made.added(factor * genes) - made.clip.clean) / made.radius[:, 0]
        assert (size >= low).all() and (size <= high).all()
    within = made.within(100 * genes)
    np.testing.assert_array_equal(made.within(0.1 * genes), 0.1 * genes)
    assert torch.allclose(made.added(within), made.added(100 * genes), atol=2 * QUANTUM)
    np.testing.assert_allclose(within / genes, np.broadcast_to(within[:, :1] / genes[:, :1], genes.shape), rtol=1e-9)


def test_they_lie_in_the_band():
    made = pieces(noise(), band_hz=[1000.0, 4000.0])
    genes = np.random.default_rng(1).standard_normal((1, made.genes))
    power = torch.fft.rfft((made.added(genes) - made.clip.clean)[0].double()).abs().square()
    assert power[450:2050].sum() > 0.99 * power.sum()
