"""Numbers that are not finite are told, with what they are and where."""

import math

import numpy as np
import pytest
import torch

from stages.frame import finite
from stages.frame.errors import UserError


@pytest.mark.parametrize(
    "values", [1.0, 3, True, np.ones(3, np.int64), np.array([True]), torch.ones(2), torch.zeros(0), torch.tensor(7)]
)
def test_finite_numbers_pass(values):
    finite.check(values, "the row", "loss", do="mend it")


@pytest.mark.parametrize(
    "values",
    [
        math.nan,
        -math.inf,
        np.float32("inf"),
        np.array([1, math.nan]),
        torch.tensor([1, -math.inf]),
        torch.tensor(math.nan),
    ],
)
def test_one_that_is_not_is_told(values):
    with pytest.raises(UserError, match=r"the row: expected finite numbers as loss; found 1 that are not; mend it"):
        finite.check(values, "the row", "loss", do="mend it")
