"""Room of corpora: reads speech and noises as two labels, for what tells whether somebody speaks."""

from pathlib import Path

import pandas as pd

from stages.corpora import noisy_speech
from stages.frame.parameters import Count, Share

NOISE, SPEECH = "noise", "speech"


def read(
    root: Path, *, validation_share: Share, test_share: Share, test_noises: Count, noise_channels: Count
) -> pd.DataFrame:
    """The clip table of `noisy_speech`, dealt by speakers, with a label for each clip in the place of its text.

    Args:
        root: the folder of LibriSpeech, and of DEMAND or other noises.
        validation_share, test_share, test_noises, noise_channels: see there.

    Raises:
        UserError: see there.
    """
    shares = {"validation_share": validation_share, "test_share": test_share}
    counts = {"test_noises": test_noises, "noise_channels": noise_channels}
    table = noisy_speech.read(root, partition="by_speaker", **shares, **counts)
    return table.assign(label=(table.text != "").map({True: SPEECH, False: NOISE}), text="")
