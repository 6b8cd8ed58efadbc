"""Ground floor: an entry of `<study>.treatments`, as the verbs that treat and those that attack read it."""

from dataclasses import dataclass, field
from typing import Any

from stages.frame.parameters import Name


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """An entry of `<study>.treatments`: the file in `stages/treatments`, a model of the study, its parameters."""

    treatment: str
    model: Name | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """What it reads besides its model."""
        return [self.parameters[name] for name in ("impulse_response", "impulse_responses") if name in self.parameters]
