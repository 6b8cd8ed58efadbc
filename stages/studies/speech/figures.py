"""Room of studies: the pictures of the speech study."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import shards
from stages.reporting.charts import COLUMNS, PER_CENT, curves, long, values
from stages.reporting.names import name
from stages.reporting.sentences import highest, lowest
from stages.reporting.sound import waveform
from stages.studies.speech.measured import NONE, Measured
from stages.studies.speech.sounds import DATA, shown

Made = dict[str, pd.DataFrame]
SAMPLE_RATE_HZ = 16_000
# The enhancers of the paper's panels (d) to (f), of the adversarial clip.
PANELS = {
    "(d) plain attention U-Net": "u_net_attention",
    "(e) hardened DNN": "dnn_hardened",
    "(f) hardened attention U-Net": "u_net_attention_hardened",
}
MEASURES = {"pesq_raw": "PESQ, raw", "sti": "STI", "stoi": "STOI", "snr_db": "SNR in dB"}
# Decibels below the clean clip's loudest that are drawn.
DEPTH_DB = 80


def charts(made: Made, measured: Any) -> dict[str, Any]:
    """A chart for each table and Figure 3; the first one answers the study's question.

    Of the corpus there is none: its table counts clips, of which by design as many are mixed at each level.
    """
    return {
        "table_4": _successes(made["table_4"]),
        "table_4_hardened": _successes(made["table_4_hardened"]),
        "table_transfer": _transferred(made["table_transfer"]),
        "figure_3": _curves(made["figure_3"], made["table_magnitude"]),
        "table_magnitude": _needed(made["table_magnitude"]),
        "table_1": _quality(made["table_1"], "of noisy speech"),
        "table_2": _quality(made["table_2"], "of adversarial speech"),
        "table_3": _quality(made["table_3"], "of adversarial speech, by hardened enhancers"),
        "table_recognisers": _recognisers(made["table_recognisers"]),
        "table_levels": _levels(made["table_levels"]),
        "table_attacks": _attacks(made["table_attacks"]),
    }


def draw(made: Made, measured: Measured, folder: Path) -> None:
    """Draws Figure 2, one clip's spectrograms."""
    _clip(measured).savefig(folder / "figure_2.png", dpi=110, metadata={"Software": None})


def _successes(table: pd.DataFrame) -> Any:
    best, least = highest(table, "rosa"), lowest(table, "rosa")
    title = (
        f"Played in unseen rooms most phrases are heard with enhancer {name(best.enhancer)}, "
        f"fewest with {name(least.enhancer)}"
    )
    data = long(table, {"rosa": ""}, row="enhancer", panel=("attack", "recogniser"), scale=100)
    return values(data, title=title, axis="RoSA, % of the trials heard as the phrase", **PER_CENT)


def _transferred(table: pd.DataFrame) -> Any:
    victim, recogniser = (table[key].map(name).astype(str) for key in ("victim", "recogniser"))
    heard = table.assign(pair=victim + ", heard by " + recogniser)
    data = long(heard, {"rosa": ""}, row="pair", panel="attack", scale=100)
    title = "Attacks heard by a recogniser that they were not made on"
    return values(data, title=title, axis="RoSA, % of the trials heard as the phrase", **PER_CENT)


def _curves(table: pd.DataFrame, magnitude: pd.DataFrame) -> Any:
    """Shares of clips that fall at an SNR or above; the paper has but the SNR at which all do."""
    parts = [
        long(own, {"share": _series(*keys)}, x="snr_db", scale=100)
        for keys, own in table.groupby(["attack", "enhancer"], sort=False)
    ]
    printed = magnitude.reindex(columns=["attack", "enhancer", "snr_needed_db_paper"]).dropna()
    told = [_series(*keys) for keys in printed[["attack", "enhancer"]].itertuples(index=False)]
    papers = pd.DataFrame({"series": told, "x": printed.snr_needed_db_paper, "paper": 100.0})
    data = pd.concat([*parts, papers], ignore_index=True).reindex(columns=COLUMNS)
    title = "The louder the perturbation, the more clips fall"
    x_axis, y_axis = "SNR of the attacked clip in dB, louder to the right", "% of clips that fall"
    return curves(data, title=title, x_axis=x_axis, y_axis=y_axis, steps=True, reverse=True, **PER_CENT)


def _series(attack: str, enhancer: str) -> str:
    return name(attack) if enhancer == NONE else f"{name(attack)}, behind {name(enhancer)}"


def _needed(table: pd.DataFrame) -> Any:
    told = table.assign(way=[_series(*keys) for keys in table[["attack", "enhancer"]].itertuples(index=False)])
    data = long(told, {"snr_needed_db": "for all clips", "snr_median_db": "for half of them"}, row="way")
    title = "How far below the speech perturbations may lie for clips to fall"
    return values(data, title=title, axis="SNR in dB")


def _quality(table: pd.DataFrame, of: str) -> Any:
    """Each measure in a picture with an axis of its own."""
    parts = [long(table, {key: ""}, row="enhancer").assign(panel=text) for key, text in MEASURES.items()]
    best = highest(table, "snr_db")
    title = f"Quality {of}: the SNR is highest with enhancer {name(best.enhancer)}"
    return values(pd.concat(parts, ignore_index=True), title=title, axis="higher is better", own="x", format=".2f")


def _recognisers(table: pd.DataFrame) -> Any:
    parts = [
        long(own, {"wer": name(recogniser)}, row="enhancer", panel="speech", scale=100)
        for recogniser, own in table.groupby("recogniser", sort=False)
    ]
    data = pd.concat(parts, ignore_index=True) if parts else long(table, {"wer": ""}, row="enhancer", panel="speech")
    title = "WER of the recognisers on clean and noisy speech, without and with enhancement"
    return values(data, title=title, axis="WER in %", own="y")


def _levels(table: pd.DataFrame) -> Any:
    mixed = table.assign(mixed=table.mixed_at_db.map("mixed at {:g} dB".format))
    best = highest(mixed, "gain_db")
    title = f"{name(best.enhancer)} gains most, of speech and noise {best.mixed}"
    data = long(mixed, {"gain_db": ""}, row="enhancer", panel="mixed")
    return values(data, title=title, axis="gain of the SNR in dB", format=".1f")


def _attacks(table: pd.DataFrame) -> Any:
    columns = {"success": "into the file", "rosa": "played in unseen rooms (RoSA)"}
    data = long(table, columns, row="attack", panel="item", scale=100)
    title = "How often attacks put their phrase into what the recogniser hears"
    return values(data, title=title, axis="% of the trials", own="y", **PER_CENT)


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
