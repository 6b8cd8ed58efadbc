"""Ground floor: reads a JSON file of ours, which may be missing, cut, damaged or another one."""

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from stages.frame.errors import UserError
from stages.frame.parameters import described, fits
from stages.frame.told import Told


def read(path: Path, schema: dict[str, Any], *, what: str, do: str) -> Told:
    """The mapping in a file; of it and of those in it an entry that is not there is told when it is asked for.

    Args:
        path: of the file.
        schema: names of entries and their annotations, as `parameters.bind` takes them; further entries pass.
        what: what the file is, for errors.
        do: what the user can do about a wrong one, for errors.

    Raises:
        UserError: the file is missing or is no JSON, its numbers are not finite, or it does not fit the schema.
    """
    if not path.is_file():
        raise UserError(path.parent, what, f"no {path.name}", do)

    def mapping(pairs: list[tuple[str, Any]]) -> Told:
        return Told(pairs, where=path, do=do)

    try:
        text = path.read_text(encoding="utf-8-sig")
        values = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=mapping)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(path, what, f"no JSON: {error}", do) from error
    if not isinstance(values, dict):
        raise UserError(path, what, f"no mapping but {type(values).__name__}", do)
    for name, hint in schema.items():
        if name in values and not fits(values[name], hint):
            raise UserError(f"{path}: {name}", described(hint), repr(values[name])[:80], do)
    return values


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no finite number")
