"""Room of pretraining: a BERT that others have trained, by its name on the Hugging Face hub or from a folder."""

from dataclasses import dataclass

from stages.frame.errors import UserError
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
        UserError: it is neither in the folder nor in the hub's cache nor on the hub, is no BERT, or has no weights as
            safetensors.
    """
    from transformers import AutoConfig, AutoTokenizer, BertModel

    name, folder = recipe.name, work.root / recipe.name
    source = str(folder) if folder.is_dir() else name
    where = {"revision": None if folder.is_dir() else recipe.revision}
    try:
        config = AutoConfig.from_pretrained(source, **where)
        if config.model_type != "bert":
            raise UserError(source, "a BERT", f"a model of the type {config.model_type!r}", "correct its name")
        model, report = BertModel.from_pretrained(
            source, add_pooling_layer=False, use_safetensors=True, output_loading_info=True, **where
        )
        tokeniser = AutoTokenizer.from_pretrained(source, **where)
    except (OSError, ValueError) as error:
        raise UserError(
            f"the model {name!r}",
            f"its config.json, model.safetensors and tokeniser in {folder}, in the hub's cache or on the hub",
            str(error).strip().splitlines()[0],
            f"go online, or fetch it where you are: hf download {name} --local-dir {folder}",
        ) from error
    if report["missing_keys"]:
        raise UserError(source, "all weights of a BERT", f"no {sorted(report['missing_keys'])[0]}", "fetch it again")
    if not tokeniser.is_fast:
        raise UserError(source, "a tokeniser that knows words (tokenizer.json)", "none", "add the file")
    model.save_pretrained(work.finished)
    tokeniser.save_pretrained(work.finished)
