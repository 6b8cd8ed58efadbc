"""wav2vec features of real speech: finite, of the right shape, and the same in a batch as alone."""

from pathlib import Path

import pytest
import soundfile
import torch

from stages.features.wav2vec import Heard
from stages.networks import wav2vec

LIBRISPEECH = Path(__file__).parents[2].parent / "shared" / "corpora" / "LibriSpeech"


@pytest.mark.skipif(not LIBRISPEECH.is_dir(), reason="the excerpt of LibriSpeech is not here")
@pytest.mark.parametrize("size", [wav2vec.BASE, wav2vec.LARGE], ids=["base", "large"])
def test_twenty_real_clips(size):
    """With the published strides and kernels, and fewer channels for speed."""
    narrow = {
        "encoder": [[24, *rest] for _, *rest in size["encoder"]],
        "context": [[24, *rest] for _, *rest in size["context"]],
    }
    torch.manual_seed(0)
    front_end = Heard(wav2vec.build(**size | narrow).eval(), 5 * 16_000)
    paths = sorted(LIBRISPEECH.rglob("*.flac"))[::5]
    waves = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in paths]
    assert len(waves) == 20
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = torch.nn.utils.rnn.pad_sequence(waves, batch_first=True)
    with torch.inference_mode():
        together, frames = front_end(padded, lengths)
        for row, wave, count in zip(together, waves, frames.tolist()):
            alone, own = front_end(wave[None], torch.tensor([len(wave)]))
            assert own.tolist() == [count] == [min((len(wave) - 465) // 160 + 1, 498)]
            assert alone.shape == (1, count, 24)
            assert torch.isfinite(alone).all()
            assert torch.allclose(row[:count], alone[0], atol=1e-4)
    assert frames.max() == 498  # of five seconds
