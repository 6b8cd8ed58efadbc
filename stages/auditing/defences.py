"""Room of auditing: a defence, as who knows of it and who does not attack it, and as it then decides."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stages.attacking.treated import behind
from stages.auditing.ways import Way
from stages.frame.pcm import from_pcm16, to_pcm16
from stages.victim import Inputs, Victim, padded_batch

# Of noise, by which one finds out whether a treatment is a matter of chance.
TRIED_SAMPLES, TRIED_SEEDS = 4000, 8


@dataclass(frozen=True, eq=False)
class Defence:
    """What is audited.

    Attributes:
        bare: what an attacker attacks who does not know of it.
        aimed: makes what an attacker attacks who does; its chance begins anew.
        decide: the label (clips,) of each of the inputs, which are as files hold them, by the draw of its seed.
        chance: whether another seed may lead to another label.
        heard: the waveforms, as files hold them, that are decided on by the same draws, where the inputs are sounds.
    """

    bare: Victim
    aimed: Callable[[], Victim]
    decide: Callable[[Inputs, list[int]], Tensor]
    chance: bool
    heard: Callable[[Inputs, list[int]], list[np.ndarray]]


def treated(bare: Victim, way: Way, *, draws: int) -> Defence:
    """The victim behind a treatment, which is drawn `draws` times at each look of an attacker if chance plays.

    Decisions are on what really happens, the true codec, as files of 16 bits.
    """
    noise = np.random.default_rng(0).normal(0, 0.1, TRIED_SAMPLES).astype(np.float32)
    first, *others = way.treat([noise] * TRIED_SEEDS, seeds=list(range(TRIED_SEEDS)))
    chance = any((one != first).any() for one in others)

    def heard(inputs: Inputs, seeds: list[int]) -> list[np.ndarray]:
        return [from_pcm16(to_pcm16(made)) for made in way.treat(waveforms(inputs), seeds=seeds)]

    def decide(inputs: Inputs, seeds: list[int]) -> Tensor:
        with torch.no_grad():
            return bare.decide(inputs | padded_batch(heard(inputs, seeds), str(bare.device)))[0]

    return Defence(bare, lambda: behind(way.through(), bare, draws=draws if chance else 1), decide, chance, heard)


def waveforms(inputs: Inputs) -> list[np.ndarray]:
    """The clips of a batch of sounds (clips, samples), each as long as it is."""
    return [clip[:length] for clip, length in zip(inputs["audio"].cpu().numpy(), inputs["audio_length"].tolist())]


def trained(bare: Victim, hardened: Victim) -> Defence:
    """A victim whose training is its defence; `bare` is the same network trained without it."""

    def decide(inputs: Inputs, seeds: list[int]) -> Tensor:
        with torch.no_grad():
            return hardened.decide(inputs)[0]

    return Defence(bare, lambda: hardened, decide, chance=False, heard=lambda inputs, seeds: waveforms(inputs))
