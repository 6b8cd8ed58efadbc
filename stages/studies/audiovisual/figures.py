"""Room of studies: the pictures of the audio-visual study."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import shards
from stages.reporting.cells import cell
from stages.reporting.charts import COLUMNS, PER_CENT, curves, long, values
from stages.reporting.names import name
from stages.reporting.rounding import rounded
from stages.reporting.sentences import highest, lowest
from stages.studies.audiovisual.detection import SYNCNETS
from stages.studies.audiovisual.shown import added, as_seen, strength
from stages.studies.audiovisual.tables import Measured

Made = dict[str, pd.DataFrame]
SHARE = {"domain": [0, 1], "format": ".2f"}
BINS = 24
NAMES = {"benign": "benign", "adversarial": "attacked", "noise": "noise", "transplant": "another clip's perturbation"}
HEARD = {
    "error": "both",
    "error_audio_alone": "sound alone",
    "error_video_alone": "picture alone",
    "error_0_db": "both, noise at 0 dB",
    "error_audio_alone_0_db": "sound alone, noise at 0 dB",
}
# The epsilons of the paper's Figure 2.
SHOWN = ("256/4", "512/8")


def charts(made: Made, measured: Any) -> dict[str, Any]:
    """A chart for each table and Figure 1d; the first one answers the study's question.

    Of the corpora there is none: their table counts what was mended, which is nothing where all goes well.
    """
    return {
        "table_1": _detected(made["table_1"], made["table_controls"]),
        "table_1_accuracy": _words(made["table_1"]),
        "table_2": _sentences(made["table_2"], "part of a sentence"),
        "table_3": _sentences(made["table_3"], "a whole sentence"),
        "table_4": _targets(made["table_4"]),
        "table_controls": _controls(made["table_controls"]),
        "figure_1d": _distributions(made["figure_1d"]),
        "table_streams": _streams(made["table_streams"]),
        "table_recognisers": _recognisers(made["table_recognisers"]),
        "table_synchrony": _synchrony(made["table_synchrony"]),
        "table_benign": _benign(made["table_benign"]),
        "table_epsilon": _epsilons(made["table_epsilon"]),
    }


def draw(made: Made, measured: Measured, folder: Path) -> None:
    """Draws Figure 2, one clip under BIM."""
    _clip(measured.detections).savefig(folder / "figure_2.png", dpi=110, metadata={"Software": None})


def _auc(row: pd.Series) -> str:
    """The AUC of a row of a table, which may have none."""
    return rounded(row.auc, ".2f") if row.auc != "" else "none"


def _detected(table: pd.DataFrame, controls: pd.DataFrame) -> Any:
    """The AUC of lip sync on words, attacked and with noise as loud."""
    noise = controls[(controls.corpus == "words") & (controls.detector == next(iter(SYNCNETS)))]
    parts = [
        long(table, {"auc": "attacked"}, row=("attack", "epsilon")),
        long(noise, {"auc_noise": "noise as loud"}, row=("attack", "epsilon")),
    ]
    best = highest(table, "auc")
    alike = cell(noise, "auc_noise", attack=best.attack, epsilon=best.epsilon)
    title = (
        f"Lip sync detects {name(best.attack)} at {best.epsilon} best, with an AUC of {_auc(best)}; "
        f"noise as loud with {rounded(alike, '.2f')}"
    )
    return values(pd.concat(parts, ignore_index=True), title=title, axis="AUC; 0.5 is chance", **SHARE)


def _words(table: pd.DataFrame) -> Any:
    data = long(table, {"accuracy": ""}, row=("attack", "epsilon"), scale=100)
    least = lowest(table, "accuracy")
    title = f"{name(least.attack)} at {least.epsilon} leaves fewest words right"
    return values(data, title=title, axis="% of words right", **PER_CENT)


def _sentences(table: pd.DataFrame, what: str) -> Any:
    columns = {
        "success": "attacks that succeed",
        "auc": "AUC, lip sync",
        "auc_noise_trained": "AUC, trained with noise",
    }
    data = long(table, columns, row="epsilon")
    best = highest(table, "success")
    title = f"Attacks that change {what} succeed most at {best.epsilon}; lip sync's AUC of them is {_auc(best)}"
    return values(data, title=title, axis="share, or AUC", **SHARE)


def _targets(table: pd.DataFrame) -> Any:
    data = long(table, {"success": "attacks that succeed", "auc": "AUC, lip sync"}, row="target", panel="epsilon")
    least = lowest(table, "success")
    title = f"Part of a sentence is made into {least.target!r} at {least.epsilon} least often"
    return values(data, title=title, axis="share, or AUC", **SHARE)


def _controls(table: pd.DataFrame) -> Any:
    """The loudest of each attack, beside noise as loud and another clip's perturbation."""
    columns = {f"auc_{version}": NAMES[version] for version in ("adversarial", "noise", "transplant")}
    ways = table.groupby(["corpus", "attack"], sort=False).epsilon.transform(lambda own: max(own, key=strength))
    loudest = table[table.epsilon == ways]
    data = long(loudest, columns, row=("corpus", "attack"), panel="detector")
    title = "What detectors make of attacks, and of what only sounds and looks as loud"
    return values(data, title=title, axis="AUC; 0.5 is chance", **SHARE)


def _distributions(scores: pd.DataFrame) -> Any:
    """How often the SyncNets have which confidence in test sentences, in bins of equal width."""
    parts = []
    for detector in (one for one in SYNCNETS if one in scores and np.isfinite(scores[one]).any()):
        told = scores[np.isfinite(scores[detector])]
        edges = np.linspace(told[detector].min(), told[detector].max(), BINS + 1)
        for version, own in told.groupby("version", sort=False):
            share = np.histogram(own[detector], edges)[0] / len(own)
            # The last bin's share holds to its right edge.
            binned = pd.DataFrame({"x": edges, "share": [*share, share[-1]], "detector": detector})
            parts.append(long(binned, {"share": NAMES[version]}, panel="detector", x="x", scale=100))
    data = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    attacked = scores[scores.version == "adversarial"].head(1).itertuples()
    told = "".join(f", {name(row.attack)} at {row.epsilon}" for row in attacked)
    title = f"How sure the SyncNets are that sound and lips belong together: test sentences{told}"
    return curves(data, title=title, x_axis="confidence", y_axis="% of clips", steps=True)


def _streams(table: pd.DataFrame) -> Any:
    data = long(table, {"accuracy": ""}, row="streams", panel="attack", scale=100)
    least = lowest(table, "accuracy")
    title = f"Fewest words stay right if {name(least.attack)} changes {name(least.streams)}"
    return values(data, title=title, axis="% of words right", **PER_CENT)


def _recognisers(table: pd.DataFrame) -> Any:
    data = long(table, HEARD, row="victim", scale=100)
    title = "What the recognisers get wrong with sound and picture, and with one of them"
    return values(data, title=title, axis="% wrong: words, WER of sentences")


def _synchrony(table: pd.DataFrame) -> Any:
    columns = {
        "within_one_frame": "offsets found within one frame",
        "exact": "found exactly",
        "auc": "AUC, own against another's sound",
    }
    best = highest(table, "within_one_frame")
    title = f"On clean sentences {name(best.detector)} finds most offsets of sound and lips"
    return values(long(table, columns, row="detector"), title=title, axis="share, or AUC", **SHARE)


def _benign(table: pd.DataFrame) -> Any:
    title = "Detectors are not to tell half of the benign clips from the other half"
    data = long(table, {"auc": ""}, row="detector", panel="corpus")
    return values(data, title=title, axis="AUC; 0.5 is chance", **SHARE)


def _epsilons(table: pd.DataFrame) -> Any:
    data = long(table, {"difference": ""}, row="detector", panel=("corpus", "attack"))
    best = highest(table, "difference")
    title = f"{name(best.detector)} gains most from louder attacks, {name(best.attack)} on {best.corpus}"
    return values(data, title=title, axis="AUC at the largest epsilon less that at the smallest", format=".2f")


def _clip(detections: pd.DataFrame) -> Any:
    """Pictures, waveform and spectrum of one word: benign, what BIM added, attacked.

    At the epsilons of the paper's figure, or where one of them is missing the two smallest.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.5), layout="constrained")
    attacked = detections[(detections.version == "adversarial") & (detections.split == "test")]
    attacked = attacked[attacked.attack == "basic_iterative"]
    made = sorted(attacked.epsilon.unique(), key=strength)
    epsilons = SHOWN if set(SHOWN) <= set(made) else made[:2]
    if not epsilons:
        return figure
    axes = figure.subplots(3, 3 * len(epsilons), squeeze=False)
    for number, epsilon in enumerate(epsilons):
        at_epsilon = attacked[attacked.epsilon == epsilon]
        clean, adversarial = _loaded(at_epsilon[at_epsilon.clip_id == at_epsilon.clip_id.min()].iloc[0])
        lines = {"benign": clean, "added": added(clean, adversarial), "attacked": adversarial}
        for line, (shown, arrays) in enumerate(lines.items()):
            own = axes[line, 3 * number : 3 * number + 3]
            _panels(own, arrays, is_difference=shown == "added")
            own[0].set_ylabel(shown)
            if line == 0:
                for axis, title in zip(own, (f"picture, {epsilon}", "waveform", "log spectrum")):
                    axis.set_title(title, fontsize=9)
    return figure


def _loaded(row: pd.Series) -> tuple[dict, dict]:
    """The clip and what the attack made of it."""
    clean = shards.ShardSet(Path("data/audiovisual", row.corpus)).load(row.clip_id)
    made = shards.ShardSet(Path("data/audiovisual", row.set)).load(row.source)
    return clean, as_seen(made)


def _panels(axes: Any, arrays: dict, *, is_difference: bool) -> None:
    from scipy.signal import stft

    middle = arrays["video"][len(arrays["video"]) // 2]
    axes[0].imshow(middle, cmap="gray", vmin=0, vmax=255)
    axes[1].plot(arrays["audio"], linewidth=0.3, color="k")
    if not is_difference:
        axes[1].set_ylim(-1, 1)
    _, _, spectrum = stft(arrays["audio"], nperseg=400, noverlap=240)
    axes[2].imshow(20 * np.log10(np.abs(spectrum[::-1]) + 1e-7), cmap="magma", vmin=-120, vmax=-20, aspect="auto")
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
