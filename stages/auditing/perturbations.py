"""Room of auditing: what is added to each clip of a batch, and clips over which something else is laid."""

from stages.attacking.problem import rounded
from stages.detection import controls
from stages.frame.shards import Arrays
from stages.victim import Inputs, padded_batch


def of_each(inputs: Inputs, names: list[str]) -> list[Arrays]:
    """The inputs (clips, longest, ...) called `names` of each clip, as long as it is."""
    lengths = {name: inputs[f"{name}_length"].tolist() for name in names}
    whole = {name: inputs[name].cpu().numpy() for name in names}
    return [{name: whole[name][row, : lengths[name][row]] for name in names} for row in range(len(lengths[names[0]]))]


def added(clean: Inputs, attacked: Inputs, names: list[str]) -> list[Arrays]:
    """What an attack changes of each clip, by input."""
    pairs = zip(of_each(clean, names), of_each(clean | {name: attacked[name] for name in names}, names))
    return [{name: after[name] - before[name] for name in names} for before, after in pairs]


def laid(clean: Inputs, perturbations: list[Arrays], quantum: dict[str, float] | None) -> Inputs:
    """The clips, each with a perturbation laid over it, as files hold them; see `controls.disturbed`."""
    names = list(perturbations[0])
    heard = [controls.disturbed(*one) for one in zip(of_each(clean, names), perturbations)]
    batches = [padded_batch([one[name] for one in heard], str(clean[name].device), name) for name in names]
    return rounded(clean | {name: value for one in batches for name, value in one.items()}, quantum)
