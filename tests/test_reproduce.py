"""Which stages `make reproduce` deals out to which process, and in what order."""

from stages.reproduce import _most_awaited_first, _next_stages

GRAPH = {
    "report": {"score", "other"},
    "other": {"write"},
    "score": {"attack"},
    "attack": {"train"},
    "train": {"extract"},
    "extract": {"write"},
    "write": set(),
}


def test_those_that_the_longest_chain_waits_for_come_first():
    assert list(_most_awaited_first(GRAPH)) == ["write", "extract", "train", "attack", "other", "score", "report"]


def test_a_process_takes_a_chain_but_leaves_a_fork_to_others():
    waiting = _most_awaited_first(GRAPH)
    assert _next_stages(waiting, set()) == ["write"]
    del waiting["write"]
    assert _next_stages(waiting, {"write"}) == ["extract", "train", "attack", "score"]
    for name in ("extract", "train", "attack", "score"):
        del waiting[name]
    assert _next_stages(waiting, {"write"}) == ["other"]
    assert _next_stages({"report": GRAPH["report"]}, {"write", "score"}) == []
