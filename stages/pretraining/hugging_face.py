"""Room of pretraining: a BERT that others have trained, by its name on the Hugging Face hub or from a folder."""

from pathlib import Path

from stages.frame.errors import UserError


def learn(root: Path, finished: Path, scratch: Path, device: str, *, name: str, revision: str | None) -> None:
    """Writes the model and its tokeniser as transformers saves them.

    Args:
        root: where a folder of the model's name is looked for first.
        finished: where the model goes.
        scratch: not needed here.
        device: not needed here.
        name: such as `bert-base-uncased`.
        revision: of the hub's repository, null for its newest.

    Raises:
        UserError: it is neither in the folder nor in the hub's cache nor on the hub, is no BERT, or has no weights as
            safetensors.
    """
    from transformers import AutoConfig, AutoTokenizer, BertModel

    folder = root / name
    source = str(folder) if folder.is_dir() else name
    where = {"revision": None if folder.is_dir() else revision}
    try:
        config = AutoConfig.from_pretrained(source, **where)
        if config.model_type != "bert":
            raise UserError(
                source, expected="a BERT", found=f"a model of the type {config.model_type!r}", do="correct its name"
            )
        model, report = BertModel.from_pretrained(
            source, add_pooling_layer=False, use_safetensors=True, output_loading_info=True, **where
        )
        tokeniser = AutoTokenizer.from_pretrained(source, **where)
    except (OSError, ValueError) as error:
        raise UserError(
            f"the model {name!r}",
            expected=f"its config.json, model.safetensors and tokeniser in {folder}, in the hub's cache or on the hub",
            found=str(error).strip().splitlines()[0],
            do=f"go online, or fetch it where you are: hf download {name} --local-dir {folder}",
        ) from error
    if report["missing_keys"]:
        raise UserError(
            source,
            expected="all weights of a BERT",
            found=f"no {sorted(report['missing_keys'])[0]}",
            do="fetch it again",
        )
    if not tokeniser.is_fast:
        raise UserError(
            source, expected="a tokeniser that knows words (tokenizer.json)", found="none", do="add the file"
        )
    model.save_pretrained(finished)
    tokeniser.save_pretrained(finished)
