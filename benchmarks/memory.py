"""Benchmarks: peak memory of the verbs on a corpus and on one ten times its size: `python -m benchmarks.memory`."""

import csv
import tempfile
import wave
from array import array
from math import pi, sin
from pathlib import Path
from random import Random

from benchmarks import run_alone, table

SIZES = (200, 2000)
FITTED_CLIPS = 60
RATE_HZ, SAMPLES = 16000, 4000
# A low, a middle and a high tone: labels that a small network learns in a minute from few clips.
TONES_HZ = {"low": 300, "middle": 1200, "high": 5000}
# What is measured, in the order in which each needs those before it; what comes between is run and not measured.
VERBS = {
    "prepare": ("prepare", "small", "audio"),
    "featurise, descriptors": ("featurise", "small", "lld"),
    "featurise, wav2vec": ("featurise", "small", "heard"),
    "attack": ("attack", "small", "item"),
    "score": ("score", "small", "every", "item"),
}
UNMEASURED = (("train", "small", "tiny"), ("pretrain", "small", "context"))
PARAMS = """
small:
  corpora:
    audio: {reader: folder, root: corpus, skip_unreadable: false, parameters: {validation_share: 0.25}, decoder: audio,
            decoding: {recorded_at_hz: 16000, sample_rate_hz: 16000, average_channels: false}}
  pretrained:
    context: {method: contrastive, root: corpus}
  pretraining:
    contrastive: {encoder: [[32, 10, 5], [32, 8, 4], [32, 4, 4]], context: [[32, 3]], skip: true,
                  log_compression: false, seed: 1, updates: 2, batch_size: 4, crop_s: 0.2, learning_rate: 1.0e-3,
                  warm_up: 1, steps: 2, negatives: 3, held_out_share: 0.05}
  features:
    lld: {feature: low_level_descriptors, longer_clips: cut,
          parameters: {window_s: 0.05, hop_s: 0.025, longest_s: 5.0}}
    heard: {feature: wav2vec, model: context, batch_size: 64, parameters: {longest_s: 5.0}}
  recipes:
    classification: {seed: 1, epochs: 12, batch_size: 8, learning_rate: 3.0e-3, decay: 1.0, decay_every_epochs: 1,
                     mixup_alpha: 0.0, masked_above: 1.0, averaged_epochs: 1}
  victims:
    tiny: {inputs: audio, network: spectrogram_cnn, parameters: {architecture: vgg13, width: 0.0625, blocks: 3},
           method: classification, recipe: classification}
  plans:
    untargeted: {plan: correct, clips_per_label: 1000000, batch_size: 32}
  attacks:
    deepfool: {attack: deepfool,
               parameters: {iterations: 3, overshoot: 0.02, candidates: 2, kept_candidates: 2, step_growth: 0.0,
                            growth_after: 15, bisections: 0}}
  attacked:
    item: {victims: [tiny], network: spectrogram_cnn, attacks: [deepfool], plan: untargeted}
  treatments:
    none: {treatment: none}
    mp3: {treatment: mp3, parameters: {bitrate_kbps: 48}}
    noise: {treatment: white_noise, parameters: {snr_db: 20}}
    resample: {treatment: resample, parameters: {rate_hz: 8000}}
  scored:
    every: {treatments: [none, mp3, noise, resample], batch_size: 32}
"""


def main() -> None:
    """Prints each verb's peak at both sizes, in MiB, and their ratio."""
    peaks = {size: _peaks_mib(size) for size in SIZES}
    rows = [[verb, *(f"{peaks[size][verb]:.0f}" for size in SIZES), f"{_ratio(peaks, verb):.3f}"] for verb in VERBS]
    print(f"clips of {SAMPLES / RATE_HZ:g} s; {FITTED_CLIPS} more to train on; each verb in a process of its own\n")
    print(table(["verb", *(f"peak MiB, {size} clips" for size in SIZES), "ratio"], rows))


def _ratio(peaks: dict[int, dict[str, float]], verb: str) -> float:
    few, many = (peaks[size][verb] for size in SIZES)
    return many / few


def _peaks_mib(size: int) -> dict[str, float]:
    """Peak memory of each verb on a corpus of `size` test clips, in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
        _write_corpus(folder / "corpus", size)
        peaks = {}
        for verb, (stage, *names) in VERBS.items():
            _, peaks[verb] = run_alone(f"stages.{stage}", *names, folder=folder)
            if stage == "prepare":
                for other, *given in UNMEASURED:
                    run_alone(f"stages.{other}", *given, folder=folder)
        return peaks


def _write_corpus(root: Path, size: int) -> None:
    """Tones of random pitch about their label's, written without numpy: see `run_alone` on what a parent holds."""
    root.mkdir()
    random = Random(size)  # noqa: S311 (no secrets here)
    with (root / "clips.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "label", "split"])
        for number in range(FITTED_CLIPS + size):
            label = list(TONES_HZ)[number % len(TONES_HZ)]
            _write_tone(root / f"clip-{number:05d}.wav", TONES_HZ[label] * random.uniform(0.8, 1.25))
            rows.writerow([f"clip-{number:05d}.wav", label, "train" if number < FITTED_CLIPS else "test"])


def _write_tone(path: Path, pitch_hz: float) -> None:
    samples = array("h", (round(6000 * sin(2 * pi * pitch_hz / RATE_HZ * n)) for n in range(SAMPLES)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())


if __name__ == "__main__":
    main()
