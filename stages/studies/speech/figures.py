"""Room of studies: draws the figures of the speech study."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import shards
from stages.reporting.sound import waveform
from stages.studies.speech.measured import NONE, Measured
from stages.studies.speech.sounds import DATA, shown

SAMPLE_RATE_HZ = 16_000
# The enhancers of the paper's panels (d) to (f), of the adversarial clip.
PANELS = {
    "(d) plain attention U-Net": "u_net_attention",
    "(e) hardened DNN": "dnn_hardened",
    "(f) hardened attention U-Net": "u_net_attention_hardened",
}
COLOURS = {"gradient": "C3", "evolutionary": "C0", "spoken": "0.4"}
# Decibels below the clean clip's loudest that are drawn.
DEPTH_DB = 80


def draw(made: dict[str, pd.DataFrame], measured: Measured, folder: Path) -> None:
    """Draws Figure 2, one clip's spectrograms, and Figure 3, success by SNR."""
    drawn = {"figure_2": _clip(measured), "figure_3": _curves(made["figure_3"], made["table_magnitude"])}
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})


def _clip(measured: Measured) -> Any:
    """The panels of which there is something, in decibels re the clean clip's loudest."""
    from matplotlib.figure import Figure
    from scipy.signal import stft

    figure = Figure(figsize=(11, 5.5), layout="constrained")
    panels: dict[str, np.ndarray] = {}
    for row in shown(measured.attacked, "over_the_air").itertuples():
        panels = _panels(row, measured)
        figure.suptitle(f"{row.text} (clip {row.clip_id}), made into {row.target}", parse_math=False)
    top = None
    for axis, (title, samples) in zip(figure.subplots(2, 3, sharex=True, sharey=True).flat, panels.items()):
        _, _, spectrum = stft(samples, SAMPLE_RATE_HZ, nperseg=512, noverlap=384)
        decibels = 20 * np.log10(np.abs(spectrum) + 1e-9)
        top = decibels.max() if top is None else top
        reach = (0, len(samples) / SAMPLE_RATE_HZ, 0, SAMPLE_RATE_HZ / 2000)
        drawn = {"vmin": top - DEPTH_DB, "vmax": top, "cmap": "magma", "aspect": "auto", "origin": "lower"}
        axis.imshow(decibels, extent=reach, **drawn)
        axis.set_title(title, fontsize=10)
        axis.set(xlabel="s", ylabel="kHz")
        axis.label_outer()
    return figure


def _panels(row: Any, measured: Measured) -> dict[str, np.ndarray]:
    """The waveform of each panel of an attacked clip; those that were not made are left out."""
    panels = {"(a) clean": _loaded("audio", row.clip_id)}
    mixtures = measured.mixtures[(measured.mixtures.clip_id == row.clip_id) & (measured.mixtures.problem == "")]
    for mixture in mixtures.head(1).itertuples():
        panels[f"(b) noisy, {mixture.snr_db:g} dB"] = _loaded("noisy", mixture.key)
    panels["(c) adversarial"] = _loaded(f"adversarial/{row.entry}", row.key)
    files = measured.heard[(measured.heard.set == f"adversarial/{row.entry}") & (measured.heard.version == "file")]
    files = files[files.source == row.key]
    for title, enhancer in PANELS.items():
        for sound in files.sound[files.treatment == enhancer].head(1):
            panels[title] = _loaded(f"scores/{measured.scored}", sound)
    return panels


def _loaded(name: str, key: str) -> np.ndarray:
    return waveform(shards.ShardSet(DATA / name).load(key)["audio"])


def _curves(curves: pd.DataFrame, magnitude: pd.DataFrame) -> Any:
    """Solid where nothing is enhanced, dashed behind an enhancer; a cross where the paper has all clips fall.

    Upright without an enhancer, diagonal behind one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axis = figure.add_subplot()
    for (attack, recogniser, enhancer), own in curves.groupby(["attack", "recogniser", "enhancer"], sort=False):
        look = {"color": COLOURS[attack], "linestyle": "-" if enhancer == NONE else "--"}
        behind = "" if enhancer == NONE else f" behind {enhancer}"
        axis.step(own.snr_db, own.share, where="post", label=f"{attack}, {recogniser}{behind}", **look)
    for row in magnitude.itertuples():
        filled = {"marker": "+" if row.enhancer == NONE else "x", "color": COLOURS[row.attack]}
        axis.plot(row.snr_needed_db_paper, 1.0, linestyle="", markersize=10, clip_on=False, **filled)
    axis.set(xlabel="SNR of the attacked clip in dB, louder to the right", ylabel="share of clips that fall")
    axis.set_ylim(0, 1.05)
    axis.invert_xaxis()
    if axis.lines:
        axis.legend(frameon=False, fontsize=8, loc="center right")
    return figure
