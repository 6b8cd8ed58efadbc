"""Entries of one's own in the studies whose graphs name the paper's one by one, as data/README.md has them."""

import re
import sys
from pathlib import Path

import clones
import pytest
from test_readme import example, put, put_in

from stages.frame import parameters
from stages.tools import dependencies, graph

ATTACK = "stages/attacks/my_steps.py"
# What an entry needs and nobody else: of a set, and what is said of it.
NEEDED = {
    "events": {
        *("attack@my_attack", "score@my_attack"),
        *("train_finished@theirs", "attack_finished@theirs", "score_finished@theirs"),
    },
    "audiovisual": {"attack@my_words", "detect@my_words"},
    "speech": {"attack@my_phrases", "score@my_phrases"},
}
SOUNDS = """
events:
  own:
    attacked:
      my_attack: {victims: [vgg13], network: spectrogram_cnn, plan: untargeted, attack: {attack: my_attack}}
"""
VICTIMS = """
events:
  own:
    victims:
      my_sounds: {inputs: audio, network: my_sounds, method: classification, recipe: classification}
audiovisual:
  own:
    victims:
      my_reader: {inputs: words, network: my_network, parameters: {units: 8}, method: lip_reading, recipe: words}
speech:
  own:
    victims:
      my_enhancer: {inputs: noisy, network: my_unet, parameters: {units: 8}, method: enhancement, recipe: u_net}
"""


def _add(folder: Path) -> None:
    """The README's attack and its entries."""
    (folder / ATTACK).write_text(example(ATTACK))
    put_in(folder, "params.yaml, in own")


def _add_sounds(folder: Path) -> None:
    """The README's attack on sounds, of a victim that is there, and its finished model."""
    for name in ("stages/attacks/my_attack.py", "stages/networks/my_model.py"):
        (folder / name).write_text(example(name))
    put(folder, SOUNDS)
    put_in(folder, "params.yaml, a finished model")


def _stale(study: str, target: str = "report") -> set[str]:
    found = graph.outdated([f"stages/studies/{study}/dvc.yaml:{target}"], parameters.read())
    return {name.rpartition(":")[2] for name in found}


def _lacks(folder: Path) -> str:
    """What dvc.yaml does not declare, and what it declares without need."""
    return clones.run(folder, sys.executable, "-m", "stages.tools.dependencies", check=False).stdout


@pytest.mark.parametrize("study", NEEDED)
def test_one_needs_itself_and_the_report_and_no_other_stage(changed, study):
    _add(changed)
    _add_sounds(changed)
    assert _stale(study) == NEEDED[study] | {"listen", "report"}
    assert f"studies/{study}/" not in _lacks(changed)


def test_victims_have_stages_of_their_own_that_declare_what_they_import(changed):
    imports = {
        "my_sounds": "from stages.features import log_mel\nfrom stages.networks import clip_classifier\n",
        "my_network": "from stages.networks import gru\nfrom stages.networks.lip_reader import build\n",
        "my_unet": "from stages.networks.wave_u_net import build\n",
    }
    for network, text in imports.items():
        Path(f"stages/networks/{network}.py").write_text(f'"""Any."""\n\n{text}')
    put(changed, VICTIMS)
    own = {stage.address: stage for stage in dependencies.stages() if "/own/" in stage.address}
    assert set(own) == {
        "stages/studies/events/own/dvc.yaml:train@my_sounds",
        "stages/studies/audiovisual/own/dvc.yaml:train@my_reader",
        "stages/studies/speech/own/dvc.yaml:train@my_enhancer",
    }
    for stage in own.values():
        study = stage.command[3]
        network = parameters.section(f"{study}.own.victims.{stage.command[4]}")["network"]
        assert Path(f"stages/networks/{network}.py") in dependencies.declared(stage)
    # Whatever is said of stages that ask the enhancer.
    assert "/own/dvc.yaml:train" not in _lacks(changed)


def test_one_comes_to_its_rows_alone_and_leaves_nothing_behind(own, waiting):
    _add(own)
    locks = {path: path.read_bytes() for path in own.glob("stages/studies/*/dvc.lock")}
    told = clones.reproduce(own, "--only", "my_words", PATH=waiting).stdout
    assert len(re.findall(r"^ *my_words .* sync_clean .*$", told, re.M)) == 1
    assert len(re.findall(r"^ *my_words +word_reader +test +my_words +512/8 .*$", told, re.M)) == 1
    told = clones.reproduce(own, "--only", "my_phrases", PATH=waiting).stdout
    heard = re.findall(r"^ *my_phrases .* (\w+) +(deepspeech\w*) ", told, re.M)
    assert len(heard) == len(set(heard)) == 14 and ("none", "deepspeech_hardened") in heard
    # Of the paper's stages only the detectors, which any set may be shown to, note down what they did.
    changed = {path.parent.name for path, before in locks.items() if path.read_bytes() != before}
    assert changed == {"audiovisual"}
    clones.run(own, "git", "checkout", "-q", "params.yaml")
    (own / ATTACK).unlink()
    assert graph.outdated(["index"], parameters.read()) == {}
    assert clones.run(own, "git", "status", "--short").stdout == ""
    assert not (own / "data/speech/scores/my_phrases").exists()
