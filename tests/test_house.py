"""What holds for every verb: it computes in one thread, so that its bytes are those of a machine of any size."""

import os
import subprocess
import sys

import pytest

# A network's gradients, as its training takes them, and how many threads libraries have.
CODE = """
import stages
import hashlib
import numpy
import torch
from threadpoolctl import threadpool_info
from stages.networks import cnn4
torch.manual_seed(0)
module = cnn4.build(6, mels=64, width=0.25, layers=4)
module({"log_mel": torch.randn(4, 64, 64)}).square().sum().backward()
gradients = [one.grad for one in module.parameters() if one.grad is not None]
digest = hashlib.sha256(b"".join(one.numpy().tobytes() for one in gradients)).hexdigest()
print(digest, {one["num_threads"] for one in threadpool_info()} | {torch.get_num_threads()})
"""


@pytest.fixture(scope="module")
def told():
    """What comes of it where one thread and where two are asked for."""
    asked = [os.environ | {"OMP_NUM_THREADS": number} for number in ("1", "2")]
    given = {"capture_output": True, "text": True, "check": True}
    return [subprocess.run([sys.executable, "-c", CODE], env=one, **given).stdout.split(maxsplit=1) for one in asked]


def test_gradients_are_the_same_bytes(told):
    assert len({digest for digest, _ in told}) == 1


def test_all_libraries_have_one_thread(told):
    assert {threads.strip() for _, threads in told} == {"{1}"}
