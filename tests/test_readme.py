"""The README's examples of one's own corpus, victim, attack and transform, run as they stand there."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_pipeline import ROOT, clone, run

from stages.frame import parameters

README = (ROOT / "README.md").read_text()


def example(name: str) -> str:
    """The fenced block that follows the line naming the file `name`."""
    found = re.search(rf"^`{re.escape(name)}`.*?\n\n```\w*\n(.*?)^```", README, re.M | re.S)
    assert found, f"the README shows no {name}"
    return found.group(1)


def sounds(folder: Path) -> None:
    """Tones and clicks that a network can tell apart."""
    rng = np.random.default_rng(0)
    (folder / "wavs").mkdir(parents=True)
    rows = ["file,label"]
    time = np.arange(16000) / 22050
    for number in range(60):
        tone = 0.2 * np.sin(2 * np.pi * rng.uniform(300, 500) * time)
        hiss = 0.2 * rng.standard_normal(16000) * np.exp(-8 * time)
        label = ("tone", "hiss")[number % 2]
        wave = (tone, hiss)[number % 2] + 0.005 * rng.standard_normal(16000)
        soundfile.write(folder / "wavs" / f"{number:03d}.wav", wave, 22050)
        rows.append(f"wavs/{number:03d}.wav,{label}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    folder = clone(tmp_path_factory.mktemp("own"))
    for name in ("stages/networks/my_network.py", "stages/attacks/my_attack.py", "stages/transforms/my_transform.py"):
        (folder / name).write_text(example(name))
    sounds(folder / "data" / "my_sounds")
    text = (folder / "params.yaml").read_text()
    corpus = re.search(r"^corpora:\n  events:\n(    .*\n)+", text, re.M).group(0)
    text = text.replace(corpus, example("params.yaml, your corpus"))
    for section in ("victims", "attacks", "attack_items"):
        text = text.replace(f"\n{section}:\n", "\n" + example(f"params.yaml, {section}"))
    text = text.replace("transforms:\n  events:\n", example("params.yaml, transforms"))
    (folder / "params.yaml").write_text(text)
    parameters.read(folder / "params.yaml")
    run(folder, "dvc", "repro", "score@mine-my-attack")
    return folder


def test_the_examples_run_through_to_scores(own):
    import pandas as pd

    scores = pd.read_csv(own / "data/events/scores/mine-my-attack/clips.csv")
    assert {"half", "none"} <= set(scores["transform"])
    assert set(scores.label) == {"tone", "hiss"}
    assert scores.attack.eq("my_attack").all()
    assert len(scores) == 2 * 3 * scores["transform"].nunique()


def test_the_commands_that_the_readme_shows_exist(own):
    for command in set(re.findall(r"^\$ (dvc [a-z]+(?: [a-z]+)?)", README, re.M)):
        assert run(own, *command.split(), "--help").returncode == 0


def test_every_file_that_the_readme_names_is_there():
    for name in set(re.findall(r"`((?:stages|scales|benchmarks|data|tests)/[\w/.]+\.\w+)`", README)):
        assert (ROOT / name).exists() or "my_" in name or name.startswith("data/embedded"), name


def test_it_runs_with_this_interpreter():
    assert sys.version_info[:2] in ((3, 11), (3, 12))
