"""Room of pretraining: a model that another study has trained, such as an enhancer, taken as it is."""

import shutil
from dataclasses import dataclass

from stages import victim
from stages.frame.errors import UserError
from stages.learning.work import Work


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which model is taken.

    Args:
        network: what it is.
    """

    network: str


def learn(work: Work, recipe: Recipe) -> None:
    """Copies the model in the folder `work.root`.

    Raises:
        UserError: there is none, or it is another network.
    """
    found = victim.config_of(work.root)["network"]
    if found != recipe.network:
        raise UserError(work.root, f"the network {recipe.network!r}", f"{found!r}", "correct `network`")
    shutil.copytree(work.root, work.finished, dirs_exist_ok=True)
