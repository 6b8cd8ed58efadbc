"""Frames of a layer of Whisper's encoder are those that transformers gives, of the clip's own length."""

import pytest
import small_transformers
import torch
import transformers

from stages.features import whisper
from stages.frame.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_transformers.whisper(tmp_path_factory.mktemp("frames") / "model", steps=0)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_frames_are_those_of_the_layer(folder, layer):
    front_end = whisper.load(folder, "cpu", layer=layer, longest_s=None)
    clips = [torch.from_numpy(small_transformers.clip(number)) for number in range(2)]
    lengths = torch.tensor([len(clip) for clip in clips])
    padded = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True, padding_value=0.5)
    frames, numbers = front_end(padded, lengths)
    # 50 a second: 5,000 samples at 16 kHz are 15.6 of them, 5,800 are 18.1.
    assert numbers.tolist() == [16, 19] and front_end.signal == {"features": 16}
    processor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    model = transformers.WhisperModel.from_pretrained(folder).eval()
    for row, clip in enumerate(clips):
        given = processor(clip.numpy(), sampling_rate=16_000, return_tensors="pt").input_features
        with torch.no_grad():
            wanted = model.encoder(given, output_hidden_states=True).hidden_states[layer][0, : numbers[row]]
        torch.testing.assert_close(frames[row, : numbers[row]], wanted, rtol=0, atol=1e-4)


def test_of_a_long_clip_the_beginning_is_heard_and_gradients_reach_it(folder):
    front_end = whisper.load(folder, "cpu", layer=2, longest_s=0.2)
    clip = torch.from_numpy(small_transformers.clip(0))[None].requires_grad_()
    frames, numbers = front_end(clip, torch.tensor([5000]))
    assert numbers.tolist() == [10] == [frames.shape[1]]
    (gradient,) = torch.autograd.grad(frames.square().sum(), clip)
    assert gradient[0, :3200].any() and not gradient[0, 3200:].any()


def test_a_layer_that_the_model_lacks_is_told(folder):
    with pytest.raises(UserError, match="layer of whisper: expected at most 2; found 3; correct it"):
        whisper.load(folder, "cpu", layer=3, longest_s=None)
