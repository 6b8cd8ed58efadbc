"""A change reruns what depends on it, and little else."""

import json
import re
import shlex
from pathlib import Path

import clones

from stages.frame import parameters
from stages.tools import graph

EVERY = {"listen", "report"}
# The list of all studies is none's.
INDEX = {"": {"index"}}


def outdated(target: str = "index") -> dict[str, set[str]]:
    """The stages of the working folder that would run, or follow one that would, by their study."""
    found: dict[str, set[str]] = {}
    for name in graph.outdated([target], parameters.read()):
        file, _, stage = name.rpartition(":")
        found.setdefault(file.split("/")[2] if file else "", set()).add(stage)
    return found


def set_parameter(name: str, value: object) -> None:
    """Changes one parameter of the working folder's params.yaml."""
    from ruamel.yaml import YAML

    yaml = YAML()
    values = yaml.load(Path("params.yaml"))
    *above, last = name.split(".")
    inner = values
    for key in above:
        inner = inner[key]
    assert inner[last] != value
    inner[last] = value
    yaml.dump(values, Path("params.yaml"))


STEPS = {
    "events": ("attacks.deepfool.parameters.overshoot", {
        "attack@vgg13-deepfool", "attack@dense_mel-deepfool", "score@vgg13-deepfool", "score@dense_mel-deepfool",
    }),
    "emotion": ("attacks.bim.parameters.relative_step", {"attack@cnn4", "attack@vgg16", "score@inverted"}),
    "transfer": ("attacks.bim.parameters.relative_step", {"attack@speech_heads"}),
    "audiovisual": ("attacks.basic_iterative.parameters.step.video", {"attack@words", "detect@words"}),
    "speech": ("attacks.evolutionary.evolutionary.parameters.segment_s", {
        "attack_evolutionary@evolutionary", "attack_evolutionary@evolutionary_hardened",
        "score@attacked",
    }),
}  # fmt: skip


def test_a_step_size_reruns_the_sets_that_it_makes_and_the_report(changed):
    """In all studies at once: what would run of one study is for its own step."""
    for study, (name, _) in STEPS.items():
        set_parameter(f"{study}.{name}", 0.3 if study != "audiovisual" else 2)
    assert outdated() == {study: stale | EVERY for study, (_, stale) in STEPS.items()} | INDEX


NETWORKS = {
    "events": ("dense", {"dense_mel", "dense_wav"}),
    "emotion": ("cnn4", {"cnn4-single", "cnn4-vanilla", "cnn4-similarity"}),
    "transfer": ("speech_heads", {"lld_heads", "wav2vec_heads", "bimodal"}),
    "audiovisual": ("syncnet_mouth", {"sync_clean", "sync_noise"}),
    "speech": ("u_net_attention", {"u_net_attention", "u_net_attention_hardened"}),
}


def test_an_edited_network_reruns_its_own_victims(changed):
    for network, _ in NETWORKS.values():
        path = Path("stages/networks", f"{network}.py")
        path.write_text(path.read_text() + "\n# a change\n")
    # The audit attacks the victims of other studies.
    stale = {study: stages for study, stages in outdated().items() if study not in ("audit", *INDEX)}
    trained = {
        study: {name.split("@")[1] for name in stages if name.startswith("train")} for study, stages in stale.items()
    }
    assert trained == {study: victims for study, (_, victims) in NETWORKS.items()}
    for stages in stale.values():
        assert not any(name.startswith(("embed", "prepare", "mix", "featurise")) for name in stages)


def test_an_edited_report_reruns_one_page(changed):
    path = Path("stages/studies/events/figures.py")
    path.write_text(path.read_text() + "\n# a change\n")
    assert outdated() == {"events": {"report"}} | INDEX


def test_an_added_attack_reruns_no_other_of_its_study(changed):
    entry = {"victims": ["vgg13"], "network": "spectrogram_cnn", "plan": "untargeted", "attack": {"attack": "mine"}}
    set_parameter("events.own.attacked", {"mine": entry})
    Path("stages/attacks/mine.py").write_text('"""Nothing."""\n')
    stale = {"attack@mine", "score@mine", *EVERY}
    assert outdated("stages/studies/events/dvc.yaml:report") == {"events": stale}


def test_what_is_told_to_be_outdated_is_what_dvc_says(changed):
    set_parameter("events.plans.untargeted.clips_per_label", 2)
    path = Path("stages/networks/lip_reader.py")
    path.write_text(path.read_text() + "\n# a change\n")
    told = json.loads(clones.dvc(changed, "status", "--json"))
    stale = graph.outdated(["index"], parameters.read())
    assert set(told) <= set(stale)
    # What follows them directly is the rest.
    assert set(stale) == {name for name, _ in graph.following(_edges(), set(told))}


def _edges() -> dict[str, set[str]]:
    from dvc.repo import Repo

    with Repo(".") as repo:
        edges = repo.index.graph
        return {one.addressing: {other.addressing for other in edges.successors(one)} for one in edges}


# What follows from it takes little time.
QUICK = "transfer.features.lld.parameters.window_s"


def test_one_changed_parameter_is_followed_and_no_more_is_run(own, waiting):
    set_parameter(QUICK, 0.06)
    told = clones.reproduce(own, "transfer", PATH=waiting).stdout
    assert set(re.findall(r"^\S+:(\S+): done in", told, re.M)) == {"featurise_lld", "train@lld_heads", "report"}
    assert outdated("stages/studies/transfer/dvc.yaml:report") == {}


def test_an_experiment_runs_across_the_folders(own, waiting):
    """`dvc exp run -S`, and what shows its parameters, metrics, plots and graph, at the top."""
    report = "stages/studies/transfer/dvc.yaml:report"
    clones.run(own, "dvc", "exp", "run", "-q", "-S", f"{QUICK}=0.06", report, PATH=waiting)
    assert QUICK in clones.dvc(own, "params", "diff", "--md")
    assert "reports/transfer/metrics.json" in clones.dvc(own, "exp", "show", "--csv")
    options = shlex.split(re.search(r"dvc exp show --md (.*)`", (clones.ROOT / "README.md").read_text())[1])
    assert max(map(len, clones.dvc(own, "exp", "show", *options).splitlines())) <= 200
    clones.dvc(own, "metrics", "diff", "--all")
    clones.dvc(own, "plots", "show", "-o", "shown")
    assert (own / "shown" / "index.html").is_file()
    drawn = clones.dvc(own / "stages/studies/transfer", "dag", "train@bimodal")
    assert "train@bimodal <- featurise@wav2vec, featurise_text@bert" in drawn


def test_stages_in_a_folder_of_their_study(changed):
    """DVC's commands work in a study's folder too."""
    folder = changed / "stages/studies/transfer"
    assert "up to date" in clones.run(folder, "dvc", "repro", "report").stdout
