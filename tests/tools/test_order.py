"""Which stages are dealt out first: paths in seconds, worked out by hand, and what Dask then does."""

import time
from pathlib import Path

import clones
import yaml

from stages.tools import cluster, order, workers

GRAPH = {"report": {"score", "other"}, "other": {"write"}, "score": {"attack"}, "attack": {"write"}, "write": set()}


def test_where_nothing_is_known_the_longest_chain_comes_first():
    paths = order.awaited_s(GRAPH, {})
    assert paths == {"write": 4, "attack": 3, "score": 2, "other": 2, "report": 1}


def test_a_path_takes_the_seconds_of_its_stages_and_an_unknown_stage_the_median():
    took_s = {"write": 2, "other": 100, "score": 10, "elsewhere": 20}
    # The median of 2, 10, 20 and 100 stands for the attack and the report.
    assert order.awaited_s(GRAPH, took_s) == {"report": 15, "other": 115, "score": 25, "attack": 40, "write": 117}


def test_the_long_one_of_equal_rank_is_dealt_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scales").mkdir()
    Path("scales/measured.csv").write_text("study,stage,seconds,megabytes\nx,a,1,0\nx,b,90,0\nx,c,40,0\nx,d,60,0\n")
    stages = [f"stages/studies/x/dvc.yaml:{name}" for name in "abcd"]
    waits_for = {name: set() for name in stages} | {"end": set(stages)}
    with cluster.opened(1, None) as client:
        ended = client.gather(workers.submitted(client, _when, waits_for))
    assert [name[-1] for name in sorted(stages, key=ended.get)] == list("bdca")


def _when(name: str, *needed: float) -> float:
    return time.monotonic()


def test_all_stages_of_the_audit_are_measured(monkeypatch):
    monkeypatch.chdir(clones.ROOT)
    stages = yaml.safe_load(Path("stages/studies/audit/dvc.lock").read_text())["stages"]
    assert {f"stages/studies/audit/dvc.yaml:{name}" for name in stages} <= set(order.measured_s())
