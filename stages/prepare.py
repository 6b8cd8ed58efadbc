"""Verb: a corpus on disk to its clip table: `python -m stages.prepare STUDY`."""

import sys
from pathlib import Path

from stages.frame import clip_table, parameters
from stages.frame.errors import UserError, told_in_one_line
from stages.frame.modules import find

# What the frame itself reads of a corpus's section; the rest goes to its reader.
FRAME_KEYS = ("reader", "root", "skip_unreadable", "recorded_at_hz", "sample_rate_hz", "average_channels")


def main(study: str) -> None:
    """Writes `data/<study>/clips.csv` from the corpus that `corpora.<study>` names."""
    values = parameters.section(f"corpora.{study}")
    root = Path(values["root"])
    if not root.is_dir():
        raise UserError(
            f"params.yaml: corpora.{study}.root",
            expected="the corpus's folder",
            found=f"nothing at {root}",
            do="see data/README.md",
        )
    reader = find("corpora", values["reader"], "read", where=f"corpora.{study}.reader")
    own = {key: value for key, value in values.items() if key not in FRAME_KEYS}
    table = clip_table.checked(parameters.bind(reader, f"corpora.{study}", own)(root), str(root))
    output = Path("data", study, "clips.csv")
    output.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(output, index=False)


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
