"""How readers are told entries that stand in sentences."""

import pytest

from stages.reporting.names import spelt


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dnn +0.25; wave_u_net_hardened -0.1", "DNN +0.25; hardened Wave-U-Net -0.1"),
        ("cw-untargeted 3.3, lbfgs 42.0 %", "untargeted C&W 3.3, L-BFGS 42.0 %"),
        ("the mean over clips, by attention, half of them", "the mean over clips, by attention, half of them"),
        ("mean_max of my_entry, one-sided", "mean and maximum pooling of my_entry, one-sided"),
        ("", ""),
    ],
)
def test_entries_in_a_sentence_are_spelt_and_its_words_stay(text, told):
    assert spelt(text) == told
