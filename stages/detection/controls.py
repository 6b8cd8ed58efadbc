"""Room of detection: what is no attack and as loud as one, by which one sees whether a detector tells attacks."""

import numpy as np

from stages.frame.clip_table import stable_hash
from stages.frame.shards import Arrays

RANGES = {"audio": (-1, 1 - 2**-15), "video": (0, 255)}


def shuffled(delta: Arrays, key: str) -> Arrays:
    """The values of a perturbation in another order and with random signs, both drawn for the name `key`."""
    rng = np.random.default_rng(stable_hash(key))
    return {
        name: (rng.permutation(value.ravel()) * rng.choice([-1, 1], value.size).astype("f4")).reshape(value.shape)
        for name, value in delta.items()
    }


def disturbed(clean: Arrays, delta: Arrays) -> Arrays:
    """A clip with a perturbation laid over it, also on the face; what of it is too long is cut, the rest is none."""
    made = dict(clean)
    for name, value in delta.items():
        made[name] = clean[name].astype("f4")
        length = min(len(made[name]), len(value))
        made[name][:length] += value[:length]
        made[name] = made[name].clip(*RANGES[name])
    if "faces" in clean:
        made["faces"] = _on_face(clean, made["video"] - clean["video"])
    return made


def _on_face(clean: Arrays, delta: np.ndarray) -> np.ndarray:
    import torch

    from stages.features.carried import carried

    maps = (torch.from_numpy(clean[name]) for name in ("frame_to_mouth", "frame_to_face"))
    laid = carried(torch.from_numpy(delta), *maps, clean["faces"].shape[1]).numpy()
    return (clean["faces"] + laid[..., None]).clip(0, 255)
