"""Room of training: what a recogniser that was trained elsewhere makes of a corpus."""

import pandas as pd
import torch

from stages import victim
from stages.frame import progress
from stages.training.task import Outcome, Task, check_outputs
from stages.training.texts import by_texts


def judged(task: Task) -> Outcome:
    """Writes the decisions of the finished model on all validation and test clips that have a text.

    Raises:
        UserError: a text that the model can't write, or outputs that are not numbers.
    """
    recogniser = victim.load(task.finished, device=task.device)
    table = task.clips.table[task.clips.table.text != ""]
    recogniser.encode(list(table.text))
    table = table[table.split != "train"]
    decided = table[["key", "clip_id", "split", "speaker", "text", "duration_s"]]
    decided = decided.join(_decided(recogniser, task, table))
    decided.to_csv(task.finished / "decisions.csv", index=False)
    test = decided[decided.split == "test"]
    return by_texts(list(test.text), list(test.decision))


@torch.no_grad()
def _decided(recogniser: victim.Victim, task: Task, rows: pd.DataFrame) -> pd.DataFrame:
    """Texts, and how sure the network is of them; a clip at a time, as hardly two are as long."""
    made: list[tuple[str, float]] = []
    with progress.bar(len(rows), "deciding", "clip") as bar:
        for key in rows.key:
            inputs = victim.padded_batch([task.clips.load(key)["audio"]], task.device)
            labels, confidence = recogniser.decide(inputs)
            check_outputs(confidence, [key])
            made.append((*recogniser.names(labels), confidence.item()))
            bar.update()
    return pd.DataFrame(made, columns=["decision", "confidence"], index=rows.index)
