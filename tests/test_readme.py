"""The READMEs: their examples run as they stand there, their numbers are those of the reports, and they stay short."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from clones import ROOT, clone, reproduce, run, scaled

from stages.frame import parameters
from stages.tools import dependencies, readme

README = (ROOT / "README.md").read_text()
STUDIES = sorted((ROOT / "stages" / "studies").glob("*/README.md"))
ALL = [ROOT / "README.md", *STUDIES, ROOT / "data" / "README.md", ROOT / "benchmarks" / "README.md"]
KB = 1024
# What a reader sees of a comment that opens a line of its own is the rest of that line as it stands, no markdown.
OPENS_A_LINE = re.compile(r"^ *(?:[*-] +)?<!--(?:=|paper|constant|/)", re.MULTILINE)
GIVEN = re.compile(r"<!--(?:=.*?|paper|constant)-->.*?<!--/-->|<!--table .*?<!--end-->", re.DOTALL)
MEASURED = re.compile(r"\d*\.\d+|\d+ ?%")


def example(name: str) -> str:
    """The fenced block that follows the line naming the file `name`."""
    text = README + (ROOT / "data" / "README.md").read_text()
    found = re.search(rf"^`{re.escape(name)}`.*?\n\n```\w*\n(.*?)^```", text, re.M | re.S)
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


def put_in(folder: Path, name: str) -> None:
    """Writes the example's entries into `params.yaml`."""
    put(folder, example(name))


def put(folder: Path, text: str) -> None:
    """Writes entries into `params.yaml`; one takes the place of another of the same name."""
    path = folder / "params.yaml"
    values = parameters.read(path)
    for study, sections in yaml.safe_load(text).items():
        _put(values[study], sections)
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def _put(values: dict, sections: dict) -> None:
    for section, entries in sections.items():
        if section == "own":
            _put(values["own"], entries)
        else:
            values.setdefault(section, {}).update(entries)


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """A clone with a corpus, an attack, a treatment and a finished model as the README shows them."""
    import torch

    folder = scaled(clone(tmp_path_factory.mktemp("own")))
    for name in ("networks/my_network", "networks/my_model", "attacks/my_attack", "treatments/my_treatment"):
        (folder / f"stages/{name}.py").write_text(example(f"stages/{name}.py"))
    sounds(folder / "data" / "my_sounds")
    for name in ("your corpus", "yours", "a finished model"):
        put_in(folder, f"params.yaml, {name}")
    values = parameters.read(folder / "params.yaml")
    _shorten(values["events"], values["audit"])
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    build = runpy.run_path(str(folder / "stages/networks/my_model.py"))["build"]
    torch.manual_seed(0)
    # Saved as it is without the house: what the network itself calls its weights.
    torch.save(build(2, sample_rate_hz=32000).network.state_dict(), folder / "data/theirs.pt")
    return folder


def _shorten(events: dict, audit: dict) -> None:
    """Leaves less to do than the smoke scale of what is the papers', and of one's own as much as elsewhere."""
    for name in events["treatments"].keys() - {"none", "noise_20dB", "live_reverb", "half"}:
        del events["treatments"][name]
    events["recipes"]["classification"]["epochs"] = 3
    events["plans"]["untargeted"]["clips_per_label"] = 3
    events["attacks"]["cw_normalised"]["parameters"]["iterations"] = 10
    heard = ["none", "noise_20dB", "live_reverb", "reverb_then_noise"]
    audit["grids"]["sounds"] |= {"treatments": heard, "budgets": [30.0, 20.0], "clips_per_label": 3}


def rows_of(told: str) -> dict[tuple[str, str], list[str]]:
    """The rows of a printed table by set and treatment."""
    names = re.search(r"^ *entry .*$", told, re.M).group(0).split()
    rows = [line.split() for line in told.split("(shares in %):\n")[1].split("\n\n")[0].splitlines()[1:]]
    return {(row[0], row[names.index("treatment") - len(names)]): row for row in rows}


def test_a_corpus_an_attack_a_treatment_and_a_finished_model_of_ones_own_come_to_their_rows(own, waiting):
    assert "make reproduce ONLY=mine" in README
    assert "`DRY=1`" in README and "$(if $(DRY),--dry)" in (ROOT / "Makefile").read_text()
    *dry, counted = reproduce(own, "--only", "mine", "--dry").stdout.splitlines()
    graph, of_own = "stages/studies/events/dvc.yaml:", "stages/studies/events/own/dvc.yaml:"
    needed = {f"{of_own}{verb}@{name}" for verb in ("attack", "score") for name in ("mine-cw", "my_attack")}
    assert needed | {f"{graph}prepare@audio", f"{of_own}train@mine"} <= set(dry)
    assert counted == f"{len(dry)} stages would run"
    assert dry.index(f"{of_own}train@mine") < dry.index(f"{of_own}score@my_attack")
    assert not (own / "models/events/mine").exists()
    told = reproduce(own, "--only", "mine", PATH=waiting).stdout
    rows = rows_of(told)
    assert {entry for entry, _ in rows} == {"mine-cw", "my_attack"}
    assert {"none", "half", "noise_20dB"} <= {treatment for _, treatment in rows}
    # Tones and hiss are told apart, and both attacks take that from the victim.
    assert re.search(r"^mine: accuracy (0\.9\d+|1\.000) on 12 test clips$", told, re.M)
    for name in ("mine-cw", "my_attack"):
        assert re.search(rf"^events {name}: \d of 6 attacks succeed, mean SNR .* passes each$", told, re.M)
    assert re.search(r"^Adv: .*; GT: .*\nclean: .*\nattackers know of no treatment", told, re.M)
    told = reproduce(own, "--only", "half", PATH=waiting).stdout
    half = rows_of(told)
    assert {(entry, "half") for entry in ("mine-cw", "my_attack", "theirs")} == set(half)
    # The price on clean clips, of which the sets have some among them.
    names = re.search(r"^ *entry .*$", told, re.M).group(0).split()
    place = names.index("clean") - len(names)
    assert all(0 <= float(row[place]) <= 100 for row in half.values()) and "\nclean: " in told
    told = reproduce(own, "--only", "theirs", PATH=waiting).stdout
    assert {entry for entry, _ in rows_of(told)} == {"theirs"}
    # The papers' twenty-five sets were not made.
    assert {path.name for path in (own / "data/events/scores").iterdir()} == {"mine-cw", "my_attack", "theirs"}


def test_attackers_aim_through_a_treatment_of_ones_own(own, tmp_path):
    import torch

    treatment = "stages/treatments/my_treatment.py"
    file = tmp_path / "my_treatment.py"
    file.write_text((own / treatment).read_text() + example(f"{treatment}, at its end"))
    functions, audio = runpy.run_path(str(file)), torch.rand(2, 9, requires_grad=True)
    heard = functions["through"](sample_rate_hz=32000, device="cpu", gain=0.5)({"audio": audio})
    treated = functions["treat"](
        list(audio.detach().numpy()), sample_rate_hz=32000, seeds=[0, 1], device="cpu", gain=0.5
    )
    np.testing.assert_allclose(heard.detach(), treated)
    assert (torch.autograd.grad(heard.sum(), audio)[0] == 0.5).all()


def test_a_victim_of_ones_own_is_audited_alone(own, waiting):
    assert "make audit VICTIM=mine" in (ROOT / "stages/studies/audit/README.md").read_text()
    told = run(own, sys.executable, "-m", "stages.tools.audit_own", "mine", "--jobs", "1", PATH=waiting).stdout
    # What the fixture took out of params.yaml, and what no gradient passes.
    assert re.search(r"^half does not apply: .*through", told, re.M)
    left = {line.split()[0]: line.split() for line in told.splitlines() if re.search(r"^ *\w+ +20\.0 ", line)}
    assert left.keys() == {"none", "noise_20dB", "live_reverb", "reverb_then_noise"}
    assert (own / "reports/audit/own/mine/index.html").is_file()
    assert re.search(r"^(Defences|No defence) of sounds .*: the best, .*, leaves .* where it seemed to", told, re.M)
    aware = [float(row[6]) for row in left.values()]
    assert aware == sorted(aware, reverse=True)
    assert not (own / "data/audit/classifiers").exists()


def test_the_commands_that_the_readme_shows_exist(own):
    shown = set(re.findall(r"^`?\$ (dvc [a-z]+(?: (?!repro)[a-z]+)?)(?= |$)", README, re.M))
    assert {"dvc repro", "dvc status", "dvc exp run", "dvc exp show", "dvc metrics diff", "dvc params diff"} <= shown
    for command in shown:
        assert run(own, *command.split(), "--help").returncode == 0


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.parent.name)
def test_every_file_that_a_readme_names_is_there(path):
    for name in set(re.findall(r"`((?:stages|scales|benchmarks|data|tests)/[\w/.]+\.\w+)`", path.read_text())):
        assert (ROOT / name).exists() or "my_" in name or name.startswith("data/embedded"), name


@pytest.fixture(scope="module")
def addresses() -> set[str]:
    """What DVC calls the stages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return {stage.address for stage in dependencies.stages()}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_every_parameter_and_stage_that_a_study_names_is_there(path, addresses):
    text = path.read_text()
    named = re.findall(r"-S (\S+?)=", text)
    assert named or path.parent.name in ("audit", "real")
    for name in named:
        above, _, last = name.rpartition(".")
        assert last in parameters.section(above, ROOT / "params.yaml")
    assert set(re.findall(r"stages/studies/\w+/dvc\.yaml:[\w@-]+", text)) <= addresses


def test_every_study_has_a_readme_and_the_one_at_the_top_leads_to_it():
    assert {path.parent for path in STUDIES} == {path.parent for path in ROOT.glob("stages/studies/*/tables.py")}
    for path in ROOT.glob("stages/studies/*/dvc.yaml"):
        assert f"({path.parent.relative_to(ROOT)})" in README


def test_the_readme_names_every_verb_and_every_room():
    stages = [path for path in (ROOT / "stages").iterdir() if not path.name.startswith("_")]
    verbs = {path.stem for path in stages if path.suffix == ".py"} - {"victim"}
    assert set(re.search(r"the verbs: ([a-z ]+)", README).group(1).split()) == verbs
    for room in (path.name for path in stages if path.is_dir() and any(path.glob("*.py"))):
        assert f" {room}/" in README, room


def test_readmes_are_short():
    assert len(README.encode()) <= 10 * KB
    sizes = {path.parent.name: path.stat().st_size for path in STUDIES}
    assert {name: size for name, size in sizes.items() if not 3 * KB <= size <= 6 * KB} == {}


def test_no_output_is_left_to_be_filled_in():
    assert [path.name for path in ALL if "@@" in path.read_text()] == []


@pytest.mark.parametrize("path", [ROOT / "README.md", *STUDIES], ids=lambda path: path.parent.name)
def test_every_number_is_the_one_of_its_table(path, monkeypatch):
    """Else: `python -m stages.tools.readme`."""
    monkeypatch.chdir(ROOT)
    text = path.read_text()
    assert readme.SPAN.search(text)
    assert readme.refreshed(text, path.relative_to(ROOT)) == text


@pytest.mark.parametrize("path", [ROOT / "README.md", *STUDIES], ids=lambda path: path.parent.name)
def test_no_measured_number_stands_by_itself(path):
    """What was found has no number with a decimal point or per cent but between comments that say where it is from."""
    found = re.search(r"^## What was found\n(.*?)^## ", path.read_text(), re.M | re.S).group(1)
    assert MEASURED.findall(GIVEN.sub("", found)) == []


@pytest.mark.parametrize("path", [ROOT / "README.md", *STUDIES], ids=lambda path: path.parent.name)
def test_comments_do_not_keep_markdown_from_being_read(path):
    assert OPENS_A_LINE.findall(path.read_text()) == []


def test_the_metrics_that_an_experiment_is_compared_with_are_the_committed_ones():
    """The column HEAD in the README's output of `dvc metrics diff`, which DVC rounds to five places."""
    import json

    shown = re.findall(r"^(reports/\S+/metrics\.json) +(\S+) +(\S+) +\S+ +\S+$", README, re.M)
    assert shown
    for file, name, head in shown:
        assert float(head) == round(json.loads((ROOT / file).read_text())[name], 5), name
