"""Tool: an item's adversarial clips as WAV files: `python -m stages.export ITEM FOLDER`."""

import sys
from pathlib import Path

from stages.frame import parameters, shards
from stages.frame.errors import told_in_one_line
from stages.frame.pcm import to_pcm16


def main(item: str, folder: str) -> None:
    """Writes one 16-bit WAV for each clip that the item fooled, named by its key."""
    import soundfile

    study = parameters.section(f"attack_items.{item}.study")
    sample_rate_hz = parameters.section(f"corpora.{study}.sample_rate_hz")
    clips = shards.ShardSet(Path("data", study, "adversarial", item))
    fooled = clips.table[clips.table.success]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for key in fooled.key:
        soundfile.write(Path(folder, f"{key}.wav"), to_pcm16(clips.load(key)["audio"]), sample_rate_hz)
    print(f"{len(fooled)} clips in {folder}")


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
