"""Whether the images that a victim takes become sounds that look like them."""

import json

import numpy as np
import pytest
import torch

from stages import victim
from stages.frame import weights
from stages.frame.errors import UserError
from stages.treatments.griffin_lim import treat

RATE_HZ = 16000
IMAGES = {"window_length": 256, "hop_length": 128, "mels": 16, "lowest_hz": 20.0, "frames": 20, "fit": "tile"}
FRONT_END = {"feature": "log_mel_image", "parameters": IMAGES | {"sample_rate_hz": RATE_HZ}}


@pytest.fixture
def model(tmp_path):
    """A victim that standardises its images by a mean and a deviation of its own, and their front end."""
    torch.manual_seed(0)
    parameters = {"width": 0.0625, "layers": 2}
    module = victim.build("cnn4", 2, parameters, where="test", signal={"mels": 16}).eval()
    module.mean.copy_(torch.linspace(-6, -4, 16))
    module.deviation.fill_(2.5)
    config = {"network": "cnn4", "parameters": parameters, "signal": {"mels": 16}, "labels": ["a", "b"]}
    config |= {"decides": "label", "bounds": {"log_mel": None}, "attacked_on": "logits", "front_end": FRONT_END}
    weights.save(tmp_path, module, config)
    return tmp_path, module, victim.front_end("log_mel_image", FRONT_END["parameters"], where="test")


def image_of(pitch_hz, module, front_end):
    time = np.arange(256 + 19 * 128) / RATE_HZ
    wave = 0.3 * np.sin(2 * np.pi * pitch_hz * time) + 0.01 * np.random.default_rng(0).standard_normal(len(time))
    inputs = victim.padded_batch([wave.astype("f4")], "cpu")
    return module.standardised(front_end(inputs["audio"], inputs["audio_length"]))[0].numpy()


def test_a_sound_looks_like_the_image_that_it_was_made_of(model):
    folder, module, front_end = model
    images = [image_of(pitch_hz, module, front_end) for pitch_hz in (500, 2000)]
    told = {"sample_rate_hz": RATE_HZ, "seeds": [0, 0], "device": "cpu"}
    sounds = treat(images, **told, model=str(folder), iterations=32)
    for number, (image, sound) in enumerate(zip(images, sounds, strict=True)):
        assert sound.dtype == np.float32 and np.abs(sound).max() < 1
        inputs = victim.padded_batch([sound], "cpu")
        again = module.standardised(front_end(inputs["audio"], inputs["audio_length"]))[0].numpy()
        errors = [np.abs(again - one).mean() for one in images]
        assert errors[number] < 0.3 < errors[1 - number]
        alone = treat([image], **told | {"seeds": [0]}, model=str(folder), iterations=32)[0]
        np.testing.assert_allclose(sound, alone, atol=2**-17)
    assert treat([], **told, model=str(folder), iterations=32) == []


def test_a_model_of_other_inputs_is_told_in_one_line(model):
    folder, module, front_end = model
    config = json.loads((folder / "config.json").read_text())
    del config["front_end"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"front end"):
        treat(
            [image_of(500, module, front_end)],
            sample_rate_hz=RATE_HZ,
            seeds=[0],
            device="cpu",
            model=str(folder),
            iterations=2,
        )
