"""Room of training: the method `published_recogniser`, which trains nothing: it takes a recogniser of torchaudio's."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from stages import victim
from stages.frame import progress, weights
from stages.frame.errors import UserError
from stages.learning import foreign
from stages.networks.wav2vec2_ctc import ALPHABET
from stages.training.task import Outcome, Task, check_outputs
from stages.training.texts import by_texts
from stages.victim import greedy, texts

NETWORK = "wav2vec2_ctc"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Where the weights are.

    Args:
        weights: path of the bundle's file, as torchaudio publishes it.
    """

    weights: str


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the one model, and its decisions on all validation and test clips that have a text.

    The model's labels are the bundle's characters, whatever those of the clips' texts are.

    Raises:
        UserError: another network, weights that are missing or not the bundle's, a text of other characters.
    """
    network, parameters = task.config["network"], task.config["parameters"]
    if network != NETWORK:
        raise UserError(
            "method published_recogniser", f"the network {NETWORK}", network, "correct the victim's network or method"
        )
    table = task.clips.table[task.clips.table.text != ""]
    _check_texts(table)
    signal = task.clips.about["signal"]
    module = victim.build(network, len(ALPHABET), parameters, where="the victim's parameters", signal=signal)
    _load(module, parameters["bundle"], Path(recipe.weights))
    weights.save(task.finished, module, task.config | {"labels": ALPHABET})
    judged = table[table.split != "train"]
    decided = judged[["key", "clip_id", "split", "speaker", "text", "duration_s"]]
    decided = decided.join(_decided(module.to(task.device).eval(), task, judged))
    decided.to_csv(task.finished / "decisions.csv", index=False)
    test = decided[decided.split == "test"]
    return by_texts(list(test.text), list(test.decision))


def _check_texts(table: pd.DataFrame) -> None:
    for key, text in zip(table.key, table.text):
        strange = sorted(set(text) - set(ALPHABET))
        if strange:
            raise UserError(
                f"clip {key}",
                f"a text of {''.join(ALPHABET)!r}",
                f"{strange[0]!r} in {text!r}",
                "spell it otherwise, or leave it out of the corpus",
            )


def _load(module: nn.Module, bundle: str, path: Path) -> None:
    """Gives the module a bundle's published weights, without the outputs that no character was ever trained for."""
    import torchaudio

    pipeline = getattr(torchaudio.pipelines, bundle)
    address = foreign.TORCHAUDIO + pipeline._path
    state = foreign.read_checkpoint(path, address=address, sha256=None)
    for name in ("aux.weight", "aux.bias"):
        values = state.get(name) if isinstance(state, dict) else None
        if isinstance(values, Tensor) and values.dim():
            state[name] = values[[row for row in range(len(values)) if row not in pipeline._remove_aux_axis]]
    foreign.take(module.model, state, path, expected=bundle, address=address)


@torch.no_grad()
def _decided(module: nn.Module, task: Task, rows: pd.DataFrame) -> pd.DataFrame:
    """Texts of the best paths, and how sure the network is of them; a clip at a time, as hardly two are as long."""
    made: list[tuple[str, float]] = []
    with progress.bar(len(rows), "deciding", "clip") as bar:
        for key in rows.key:
            inputs = victim.padded_batch([task.clips.load(key)["audio"]], task.device)
            labels, confidence = greedy(module(inputs), module.steps_of(inputs["audio_length"]))
            check_outputs(confidence, [key])
            made.append((texts(labels, ALPHABET)[0], confidence.item()))
            bar.update()
    return pd.DataFrame(made, columns=["decision", "confidence"], index=rows.index)
