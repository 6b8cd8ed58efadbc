"""What a verb writes does not depend on how many processes share its shards."""

import hashlib
import shutil
from pathlib import Path

import pytest

from stages import attack, featurise, mix
from stages.frame import devices

# Of each home the verbs that share their work, as it has called them, with what each writes.
SHARED = {
    "emotion": [
        (featurise, ("emotion", "log_mel"), "data/emotion/log_mel"),
        (attack, ("emotion", "cnn4"), "data/emotion/adversarial/cnn4"),
    ],
    "faces": [(attack, ("audiovisual", "words"), "data/audiovisual/adversarial/words")],
    "speech": [
        (mix, ("speech", "noisy"), "data/speech/noisy"),
        (attack, ("speech", "plain"), "data/speech/adversarial/plain"),
    ],
    "transfer": [
        (featurise, ("transfer", "heard"), "data/transfer/heard"),
        (attack, ("transfer", "speech_heads"), "data/transfer/adversarial/speech_heads"),
    ],
}


@pytest.mark.parametrize("home", SHARED)
@pytest.mark.parametrize("count", [2, 3])
def test_each_process_does_its_share_and_the_set_is_that_of_one(home, count, request, tmp_path, monkeypatch):
    """One after another here, the first one last, who puts the shares together: see test_devices for them at once."""
    before = request.getfixturevalue(f"{home}_home")
    after = shutil.copytree(before, tmp_path / "home", ignore=shutil.ignore_patterns(".scratch"))
    monkeypatch.chdir(after)
    monkeypatch.setenv("KEPT_GB", "0")
    monkeypatch.setenv("DEVICE", "cpu")
    for verb, names, made in SHARED[home]:
        shutil.rmtree(made)
        for rank in reversed(range(count)):
            assert not Path(made).exists()
            monkeypatch.setattr(devices, "launch", lambda rank=rank: devices.Worker(rank=rank, count=count))
            verb.main(*names)
        assert _bytes(Path(made)) == _bytes(before / made), made


def _bytes(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
