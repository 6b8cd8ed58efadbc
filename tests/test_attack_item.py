"""An entry of `attack_items`: what is misspelt in it is told, never taken for the default."""

import pytest

from stages import attack
from stages.frame import parameters
from stages.frame.errors import UserError

GOOD = {
    "study": "events",
    "victim": "vgg13",
    "network": "spectrogram_cnn",
    "attack": "deepfool",
    "goal": "untargeted",
    "attacked_on": "logits",
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attacked_on": "probability"}, r"attack_items.x.attacked_on: expected one of 'logits', 'probabilities'"),
        ({"goal": "target"}, r"attack_items.x.goal: expected one of 'untargeted', 'targeted'; found 'target'"),
        ({"victm": "vgg13"}, r"attack_items.x.victm: .*did you mean 'victim'"),
    ],
)
def test_a_wrong_entry_is_one_line(changes, message):
    with pytest.raises(UserError, match=message):
        parameters.bind(attack._item, "attack_items.x", GOOD | changes)


def test_every_entry_of_params_yaml_is_right():
    for name, item in parameters.section("attack_items").items():
        assert parameters.bind(attack._item, f"attack_items.{name}", item)() == item
