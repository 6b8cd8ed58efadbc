"""Ground floor: mappings read from files, in which not to find something is the file's fault, and said in one line."""

from collections.abc import Iterable
from typing import Any, NoReturn

from stages.frame.errors import UserError


class Told(dict):
    """Entries by name; to ask for one that is not there is a `UserError`, with where they are from and what to do.

    Copies that are made of the entries alone, as `dataclasses.asdict` does, know neither.
    """

    def __init__(
        self, entries: Iterable[tuple[str, Any]], *, where: object = "what was read", do: str = "run dvc repro"
    ):
        super().__init__(entries)
        self.where, self.do = where, do

    def __missing__(self, name: str) -> NoReturn:
        raise UserError(self.where, f"an entry {name!r}", ", ".join(self) or "none at all", self.do)
