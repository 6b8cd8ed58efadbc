"""Verb: trains a victim, from scratch or further, or takes in a finished one: `python -m stages.train STUDY VICTIM
[VARIANT]`.
"""

from functools import reduce
from operator import or_
from pathlib import Path

from stages.frame import devices, parameters
from stages.frame.errors import run
from stages.frame.modules import find
from stages.training.entry import Entry


def main(study: str, name: str, variant: str = "") -> None:
    """Writes `models/<study>/<victim>`, or `models/<study>/<victim>/<variant>`, by the method that the victim names.

    The method is a file of `stages/training`: its `train` begins anew, its `harden` goes on from `starts_from`.
    What the study's `variants` say of the variant takes the place of the victim's own `training`, and that of what
    the recipe says. One process trains: a batch dealt out among several would change what batch normalisation sees,
    and with it the result. Victims are independent stages, and train side by side.
    """
    worker = devices.launch()
    if worker.rank == 0:
        _train(study, name, variant, worker.device)
    worker.wait_for_all()


def _train(study: str, name: str, variant: str, device: str) -> None:
    finished = name in parameters.section(study).get("finished", {})
    where = f"{study}.{'finished' if finished else 'victims'}.{name}"
    entry = parameters.entry(Entry, where)
    sources = [f"{study}.recipes.{entry.recipe}"] if entry.recipe else []
    sources += [f"{where}.training"] if entry.training else []
    sources += [f"{study}.variants.{variant}"] if variant else []
    # What a later one says takes the place of what an earlier one does.
    values = reduce(or_, map(parameters.section, sources), {})
    # What is wrong in params.yaml so far is told at once, before torch is imported.
    from stages.training.task import Place, opened

    schema = find("training", entry.method, "Recipe", where=f"{where}.method")
    recipe = parameters.bind(schema, " with ".join(sources) or where, values)()
    work = find("training", entry.method, "harden" if entry.starts_from else "train", where=f"{where}.method")
    place = Place(study, f"{name}/{variant}" if variant else name, device, where)
    with opened(entry, recipe, place) as task:
        outcome = work(task, recipe, **_others(study, entry, device))
    warning = f"; warning: no better than {outcome.no_better_than}" if outcome.no_better_than else ""
    print(f"{place.name}: {outcome.told}{warning}")


def _others(study: str, entry: Entry, device: str) -> dict:
    """For `harden`: the victim that this one starts from, and the one whose attackers it is trained against."""
    if not entry.starts_from:
        return {}
    from stages import victim

    named = {"start": entry.starts_from, "against": entry.against}
    return {
        role: victim.load(Path("models", study, name), device=device) if name else None for role, name in named.items()
    }


if __name__ == "__main__":
    run(main)
