"""Room of learning: models of transformers from a folder or the hub; none of their code is run, none is asked about.

Weights are read from safetensors alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.frame import json_files
from stages.frame.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# What stands in masked places in training, which published models may lack, and then be random.
UNUSED = "masked_spec_embed"


class Source:
    """A folder as transformers saves it, or a name on the hub, of which `revision` is taken, null for its newest.

    `do` is what the user can do where it is missing or damaged, for errors.
    """

    def __init__(self, name: str, revision: str | None):
        self.name, self.revision = name, None if Path(name).is_dir() else revision
        self.do = f"name its folder, or go online, or fetch it where you are: hf download {name} --local-dir FOLDER"

    def configuration(self, families: tuple[str, ...]) -> dict[str, Any]:
        """`config.json` of a model of these types.

        Raises:
            UserError: there is none, it is damaged or of another type, or the model comes with code.
        """
        config = json_files.read(
            self._file("config.json"), {"model_type": str}, what="a model of transformers", do=self.do
        )
        if "auto_map" in config:
            do = "take a model of a type that transformers knows by itself, and save it again"
            raise UserError(self.name, "a model without code of its own", "code (auto_map in config.json)", do)
        if config["model_type"] not in families:
            found = f"one of the type {config['model_type']!r}"
            raise UserError(self.name, f"a model of the types {', '.join(families)}", found, "name another network")
        return config

    def model(self, auto: str) -> "PreTrainedModel":
        """The model in float32, by transformers' class `auto`, such as `AutoModelForCTC`.

        Raises:
            UserError: it is missing or damaged, lacks weights or has others, or has none but in a pickle.
        """
        import torch
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self._check_safetensors()
        options = {"use_safetensors": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
        load = getattr(transformers, auto).from_pretrained
        model, report = self._made(load, "a whole model in safetensors", dtype=torch.float32, **options)
        wrong = {kind: sorted(map(str, report[f"{kind}_keys"])) for kind in ("missing", "mismatched", "unexpected")}
        wrong["missing"] = [name for name in wrong["missing"] if not name.endswith(UNUSED)]
        # Further ones are of what the model was trained with, but for layers that config.json does not tell of.
        wrong["unexpected"] = [name for name in wrong["unexpected"] if "layer" in name]
        for kind, names in wrong.items():
            if names:
                expected = "all weights of the model that config.json describes"
                raise UserError(self.name, expected, f"{kind}: {names[0]}", self.do)
        for name, parameter in model.named_parameters():
            if name.endswith(UNUSED):
                parameter.data.zero_()
        return model

    def part(self, auto: str, **options: Any) -> Any:
        """The feature extractor or tokenizer that transformers' class `auto` makes of the source.

        Raises:
            UserError: there is none, or a damaged one.
        """
        import transformers

        return self._made(getattr(transformers, auto).from_pretrained, f"what {auto} opens", **options)

    def _made(self, load: Callable[..., Any], what: str, **options: Any) -> Any:
        try:
            return load(self.name, revision=self.revision, trust_remote_code=False, **options)
        # On damaged files transformers ends in many an error, and tokenizers in a bare Exception.
        except Exception as error:
            found = f"{type(error).__name__}: {str(error).strip()[:200]}"
            raise UserError(self.name, what, found, self.do) from error

    def _check_safetensors(self) -> None:
        """Passes all but a folder whose weights lie in a pickle, which may run code."""
        pickles = sorted(path.name for path in Path(self.name).glob("*.bin"))
        if pickles and not list(Path(self.name).glob("*.safetensors")):
            do = "open it with transformers where you trust it, and save it again"
            raise UserError(self.name, "weights in safetensors", f"{pickles[0]} alone", do)

    def _file(self, name: str) -> Path:
        from transformers.utils import cached_file

        if Path(self.name).is_dir():
            return Path(self.name, name)
        try:
            return Path(cached_file(self.name, name, revision=self.revision))
        except (OSError, ValueError) as error:
            raise UserError(self.name, "a folder, or a model of the hub", str(error).split("\n")[0], self.do) from error
