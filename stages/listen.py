"""Verb: a handful of clips to hear and see: `python -m stages.listen STUDY`."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from stages.frame import clip_table, parameters, shards
from stages.frame.errors import UserError, told_in_one_line
from stages.frame.pcm import from_pcm16, to_pcm16

DIFFERENCE_PEAK = 0.5


def main(study: str) -> None:
    """Writes `reports/<study>/listening`: WAV and spectrogram of the original, adversarial, difference and treated clip.

    For each item of `listening.<study>` the first clip that it fooled (the first attacked one where none was). The
    difference is raised to a peak of one half, since it could not be heard otherwise; `listening.csv` says by how much.
    """
    items = parameters.section(f"listening.{study}")
    sample_rate_hz = parameters.section(f"corpora.{study}.sample_rate_hz")
    folder = Path("reports", study, "listening")
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for item in items for row in _sounds(study, item, sample_rate_hz, folder)]
    pd.DataFrame(rows).to_csv(folder / "listening.csv", index=False)


def _sounds(study: str, item: str, sample_rate_hz: int, folder: Path) -> list[dict]:
    """One row for each sound of one clip; writes its files."""
    known = parameters.section("attack_items")
    if item not in known:
        raise UserError(
            f"params.yaml: listening.{study}", expected="names from attack_items", found=item, do="correct it"
        )
    adversarial = shards.ShardSet(Path("data", study, "adversarial", item))
    clip = adversarial.table.sort_values(["success", "key"], ascending=[False, True]).iloc[0]
    scores = clip_table.read(Path("data", study, "scores", item, "clips.csv"))
    original = shards.ShardSet(Path("data", study, "audio")).load(clip.clip_id)["audio"]
    attacked = adversarial.load(clip.key)["audio"]
    gain = DIFFERENCE_PEAK / max(float(np.abs(attacked - original).max()), 1e-12)
    treated = shards.ShardSet(Path("data", study, "treated", item))
    sounds = [
        ("original", original, clip.clean_prediction, clip.clean_confidence),
        ("adversarial", attacked, clip.adversarial_prediction, clip.confidence),
        ("difference", (attacked - original) * gain, "", ""),
    ] + [
        (row["transform"], from_pcm16(treated.load(row["key"])["audio"]), row["decision"], row["decision_confidence"])
        for row in scores[scores.source == clip.key].to_dict("records")
    ]
    reference = _decibels(original, sample_rate_hz).max()
    rows = []
    for name, waveform, decision, confidence in sounds:
        stem = f"{item}-{name}"
        _write(folder / stem, waveform, sample_rate_hz, None if name == "difference" else reference)
        rows.append(
            {"item": item, "clip_id": clip.clip_id, "label": clip.label, "target": clip.target, "snr_db": clip.snr_db}
            | {"sound": name, "stem": stem, "decision": decision, "confidence": confidence}
            | {"gain_db": round(20 * np.log10(gain), 1) if name == "difference" else 0.0}
        )
    return rows


def _decibels(waveform: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    from scipy.signal import stft

    _, _, spectrum = stft(waveform, sample_rate_hz, nperseg=512, noverlap=384)
    return 20 * np.log10(np.abs(spectrum) + 1e-9)


def _write(path: Path, waveform: np.ndarray, sample_rate_hz: int, reference_db: float | None) -> None:
    """The sound as a 16-bit WAV, and its spectrogram over 80 dB below the original's maximum (or its own)."""
    import soundfile
    from matplotlib import image

    soundfile.write(path.with_suffix(".wav"), to_pcm16(waveform), sample_rate_hz)
    decibels = _decibels(waveform, sample_rate_hz)
    top = decibels.max() if reference_db is None else reference_db
    image.imsave(
        path.with_suffix(".png"), decibels[::-1], vmin=top - 80, vmax=top, cmap="magma", metadata={"Software": None}
    )


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
