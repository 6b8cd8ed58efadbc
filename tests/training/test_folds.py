"""Which text a clip has where texts are exchanged within folds."""

import numpy as np
import pandas as pd
import pytest

from stages.frame.errors import UserError
from stages.training import folds


@pytest.mark.parametrize("sizes", [(2, 2), (3, 5, 2), (40, 20)])
def test_no_clip_keeps_its_own_text_and_each_text_stays_in_its_fold(sizes):
    fold = pd.Series(np.random.default_rng(0).permutation(np.repeat([f"s{n}" for n in range(len(sizes))], sizes)))
    made = [folds.exchanged(fold, [seed]) for seed in range(20)]
    for row_of in made:
        assert sorted(row_of) == list(range(len(fold)))
        assert (row_of != np.arange(len(fold))).all()
        assert (fold.to_numpy()[row_of] == fold).all()
    np.testing.assert_array_equal(made[3], folds.exchanged(fold, [3]))
    assert len({tuple(row_of) for row_of in made}) > (1 if max(sizes) > 2 else 0)


def test_a_fold_of_one_clip_has_no_other_text():
    with pytest.raises(UserError, match="at least two clips, which have each other's texts; found one clip in b"):
        folds.exchanged(pd.Series(list("aab")), [0])
