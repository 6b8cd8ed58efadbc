"""Room of pretraining: a BERT that others have trained, by its name on the Hugging Face hub or from a folder."""

from dataclasses import dataclass

from stages.features import bert
from stages.learning.work import Work


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which model is taken.

    Args:
        name: such as `bert-base-uncased`; a folder of this name among the downloaded models is looked for first.
        revision: of the hub's repository, null for its newest.
    """

    name: str
    revision: str | None


def learn(work: Work, recipe: Recipe) -> None:
    """Writes the model and its tokeniser as transformers saves them.

    Raises:
        UserError: it is neither in the folder nor in the hub's cache nor on the hub, or is no whole BERT, see
            `stages.features.bert.opened`.
    """
    folder = work.root / recipe.name
    source, revision = (folder, None) if folder.is_dir() else (recipe.name, recipe.revision)
    do = f"go online, or fetch it where you are: hf download {recipe.name} --local-dir {folder}"
    model, tokeniser = bert.opened(source, revision=revision, do=do)
    model.save_pretrained(work.finished)
    tokeniser.save_pretrained(work.finished)
