"""Room of studies: what the speech study is told from."""

from dataclasses import dataclass

import pandas as pd

# What stands in tables where nothing is enhanced.
NONE = "none"


@dataclass(frozen=True)
class Measured:
    """The tables that the study's own are made of, and the models' names.

    Clips and mixtures; the recognisers' decisions on clean clips; the enhancers' SNRs; attacked clips; what is heard of
    mixtures; and of attacked clips, `heard` by the recogniser that was attacked or `transferred` to another one.
    `enhancers` gives each plain one's hardened one, "" where it has none; `scored` is the entry of attacked clips. In
    all tables an enhancer is called as its model, and `NONE` stands where there is none.
    """

    clips: pd.DataFrame
    mixtures: pd.DataFrame
    decisions: pd.DataFrame
    ratios: pd.DataFrame
    attacked: pd.DataFrame
    noisy: pd.DataFrame
    heard: pd.DataFrame
    transferred: pd.DataFrame
    recognisers: list[str]
    enhancers: dict[str, str]
    scored: str

    @property
    def hardened(self) -> list[str]:
        """The enhancers after adversarial training."""
        return [name for name in self.enhancers.values() if name]
