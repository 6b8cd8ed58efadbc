"""Benchmarks: offset and confidence of many clips beside SyncNet's published code: `python -m benchmarks.lip_sync`.

That code takes one clip after another, twenty windows at a time, and measures distances one window after another; here
its steps are done in plain PyTorch with the same weights (random ones: time does not depend on them).
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import table

if TYPE_CHECKING:
    from torch import Tensor, nn

FRAMES, SHIFTS, AT_ONCE, ROUNDS = 75, 15, 20, 3
SIGNAL = {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": 48}
Outcome = list[tuple[int, float]]


def main() -> None:
    """Prints the processor seconds of each side, medians of rounds in turn, and how far their confidences differ."""
    import torch

    from stages.networks import syncnet, syncnet_mouth

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for dimensions in (128, 1024):
        seen, heard = torch.randn(2, 100, FRAMES - 4, dimensions) / dimensions**0.5
        rows.append(
            [
                f"100 clips, embeddings of {dimensions}",
                *_compared(lambda s=seen, h=heard: ours(s, h), lambda s=seen, h=heard: list(map(published, s, h))),
            ]
        )
    small = syncnet_mouth.build(0, **SIGNAL, side=44, width=1.0, dimensions=128).eval()
    large = syncnet.build(0, **SIGNAL).eval()
    for name, network, count, size, batch in (
        ("small network", small, 100, (48, 48), 8),
        ("published network", large, 1, (224, 224, 3), 1),
    ):
        video = torch.randint(0, 256, (count, FRAMES, *size), dtype=torch.uint8)
        audio = 0.1 * torch.randn(count, 640 * FRAMES)
        sides = (
            lambda n=network, v=video, a=audio, b=batch: ours_of_clips(n, v, a, b),
            lambda n=network, v=video, a=audio: [published_of_clip(n, *clip) for clip in zip(v, a)],
        )
        rows.append([f"{count} clips, {name}", *_compared(*sides)])
    print(f"clips of {FRAMES} frames, {2 * SHIFTS + 1} shifts, float32, one thread\n")
    print(table(["from", "ours, s", "as published, s", "times as fast", "max difference"], rows))


def ours(seen: "Tensor", heard: "Tensor") -> Outcome:
    """Of embeddings (clips, windows, dimensions), all clips at once."""
    import torch

    from stages.detection.lip_sync import synchrony

    windows = torch.full((len(seen),), seen.shape[1])
    found = synchrony(seen, heard, windows, shifts=SHIFTS, pairs="padded")
    return list(zip(found.offset.tolist(), found.confidence.tolist()))


def ours_of_clips(network: "nn.Module", video: "Tensor", audio: "Tensor", batch: int) -> Outcome:
    """Of clips, whole ones, so many at a time, without the last window, which the published code leaves out."""
    import torch

    seen, heard = [], []
    with torch.inference_mode():
        for some, sounds in zip(video.split(batch), audio.split(batch)):
            seen.append(network.video_embeddings(some.float())[:, :-1])
            heard.append(network.audio_embeddings(sounds)[:, :-1])
    return ours(torch.cat(seen), torch.cat(heard))


def published(seen: "Tensor", heard: "Tensor") -> tuple[int, float]:
    """Of one clip's embeddings (windows, dimensions), one window after another."""
    import torch
    from torch.nn.functional import pad, pairwise_distance

    count = 2 * SHIFTS + 1
    padded = pad(heard, (0, 0, SHIFTS, SHIFTS))
    distances = [pairwise_distance(one.repeat(count, 1), padded[v : v + count]) for v, one in enumerate(seen)]
    means = torch.stack(distances, 1).mean(1)
    least, place = means.min(0)
    return SHIFTS - int(place), float(means.median() - least)


def published_of_clip(network: "nn.Module", video: "Tensor", audio: "Tensor") -> tuple[int, float]:
    """Of one clip, its windows cut out and stacked, so many at a time."""
    import torch

    coefficients = network.mfcc(audio[None], torch.tensor([len(audio)]))[0].T
    seen, heard = [], []
    windows = range(len(video) - 5)
    with torch.inference_mode():
        for start in range(0, len(windows), AT_ONCE):
            some = windows[start : start + AT_ONCE]
            pictures = torch.stack([video[v : v + 5] for v in some]).float()
            sounds = torch.stack([coefficients[:, 4 * v : 4 * v + 20] for v in some])[:, None]
            for made, of_windows in zip((seen, heard), plain_layers(network, pictures, sounds)):
                made.append(of_windows)
    return published(torch.cat(seen), torch.cat(heard))


def plain_layers(network: "nn.Module", pictures: "Tensor", sounds: "Tensor") -> tuple["Tensor", "Tensor"]:
    """Embeddings of windows of five frames, and of MFCCs (windows, 1, 13, 20), by layers such as the published ones."""
    from torch.nn.functional import conv3d, normalize

    from stages.networks.lip_reader import centre
    from stages.networks.syncnet_mouth import DEVIATION, MEAN

    if network.sees == "faces":
        return network.video_embeddings(pictures)[:, 0], network.netfcaud(network.netcnnaud(sounds).flatten(1))
    first, *others = network.images
    shown = (centre(pictures, network.side) / 255 - MEAN) / DEVIATION
    seen = conv3d(shown[:, None], first.weight[:, None], stride=(1, 2, 2), padding=(0, 2, 2))[:, :, 0]
    for layer in others:
        seen = layer(seen)
    return normalize(seen.flatten(1), dim=1), normalize(network.sound(sounds)[:, :, 0, 0], dim=1)


def _compared(mine: Callable[[], Outcome], plain: Callable[[], Outcome]) -> list[str]:
    found, expected = mine(), plain()
    if [offset for offset, _ in found] != [offset for offset, _ in expected]:
        raise AssertionError("the offsets differ")
    difference = max(abs(one[1] - other[1]) for one, other in zip(found, expected))
    taken = {mine: [], plain: []}
    for _ in range(ROUNDS):
        for side, seconds in taken.items():
            start = time.process_time()
            side()
            seconds.append(time.process_time() - start)
    first, second = (float(np.median(seconds)) for seconds in taken.values())
    return [f"{first:.3f}", f"{second:.3f}", f"{second / first:.1f}", f"{difference:.1e}"]


if __name__ == "__main__":
    main()
