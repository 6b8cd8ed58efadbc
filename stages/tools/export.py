"""Tool: a set's adversarial clips as WAV files: `python -m stages.tools.export STUDY SET FOLDER`."""

from pathlib import Path

from stages.frame import shards
from stages.frame.errors import UserError, run, writing
from stages.frame.names import file_name
from stages.frame.pcm import to_pcm16


def main(study: str = "", name: str = "", folder: str = "") -> None:
    """Writes a WAV file for each kept clip of `data/<study>/adversarial/<name>` that fooled, named by its key.

    Raises:
        UserError: no such set, or its clips are no sound.
    """
    import soundfile

    source = Path("data", study, "adversarial", name)
    if not folder or not (source / "clips.csv").is_file():
        found = f"nothing at {source}" if folder else "too few names"
        raise UserError("export", "a study, one of its adversarial sets and a folder", found, "see data/*/adversarial")
    clips = shards.ShardSet(source)
    fooled = clips.table[clips.table.success & clips.table.kept]
    sample_rate_hz = clips.about.get("signal", {}).get("sample_rate_hz")
    if not len(fooled) or "audio" not in clips.load(fooled.key.iloc[0]) or not sample_rate_hz:
        raise UserError(source, "kept clips of sound that fooled", f"{len(fooled)} clips", "name another set")
    with writing(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for number, key in enumerate(fooled.key):
            audio = clips.load(key)["audio"]
            samples = audio if audio.dtype == "int16" else to_pcm16(audio)
            soundfile.write(Path(folder, f"{number:04d}-{file_name(key)}.wav"), samples, sample_rate_hz)
    print(f"{len(fooled)} clips in {folder}")


if __name__ == "__main__":
    run(main)
