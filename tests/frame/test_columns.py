"""Columns of a csv that say of themselves too little."""

import io

import pandas as pd

from stages.frame.columns import typed


def test_a_csv_without_rows_or_with_empty_cells_has_numbers_and_truths():
    text = "snr_db,success,kept\n1.5,True,\n,False,True\ninf,True,False\n"
    for lines in (text, "snr_db,success,kept\n"):
        read = pd.read_csv(io.StringIO(lines), keep_default_na=False)
        made = typed(read, ("snr_db", "missing"), ("success", "kept", "lacking"))
        assert made.dtypes.map(str).to_dict() == {"snr_db": "float64", "success": "bool", "kept": "bool"}
    made = typed(pd.read_csv(io.StringIO(text), keep_default_na=False), ("snr_db",), ("success", "kept"))
    assert made.snr_db.isna().tolist() == [False, True, False]
    assert (made.success.tolist(), made.kept.tolist()) == ([True, False, True], [False, True, False])
