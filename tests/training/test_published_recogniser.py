"""From a file as torchaudio publishes it to a victim of this house, with small layers in the place of its own."""

import numpy as np
import pandas as pd
import pytest
import torch
import torchaudio

from stages import victim
from stages.frame import shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.networks.wav2vec2_ctc import ALPHABET
from stages.training import published_recogniser
from stages.training.task import Task

BUNDLE = torchaudio.pipelines.WAV2VEC2_ASR_BASE_960H
SMALL = BUNDLE._params | {
    "encoder_embed_dim": 16,
    "encoder_num_layers": 2,
    "encoder_num_heads": 2,
    "encoder_ff_interm_features": 16,
    "encoder_pos_conv_groups": 2,
    "extractor_conv_layer_config": [(8, 10, 5), (8, 3, 2), (8, 3, 2)],
}


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(BUNDLE, "_params", SMALL)
    torch.manual_seed(0)
    return torchaudio.models.wav2vec2_model(**SMALL).eval()


def published(model):
    """The state as it is published: three more outputs, and the old names of normalised weights."""
    state = dict(model.state_dict())
    for name in ("aux.weight", "aux.bias"):
        value = state[name]
        state[name] = torch.cat([value[:1], torch.full_like(value[:3], 99.0), value[1:]])
    for name in list(state):
        head, _, number = name.partition(".parametrizations.weight.original")
        if number:
            state[f"{head}.weight_{'gv'[int(number)]}"] = state.pop(name)
    assert any(name.endswith("weight_g") for name in state)
    return state


def task(folder, *, network="wav2vec2_ctc", texts=("go on", "no", "go", "on")):
    """Four clips of speech and one of noise; their texts have few of the characters."""
    table = pd.DataFrame({"key": [f"clip{number}" for number in range(5)], "text": [*texts, ""]})
    table = table.assign(clip_id=table.key, split=["train", "test", "validation", "test", "test"], speaker="s")
    table = table.assign(label="", problem="", duration_s=0.1)

    def compute(part):
        return part, [
            {"audio": np.random.default_rng(row).uniform(-1, 1, 1600 + row).astype("f")} for row in part.index
        ]

    about = {"signal": {"sample_rate_hz": 16000}, "bounds": {"audio": [-1.0, 1.0]}}
    common = {"inputs": [], "settings": 1, "worker": Worker(), "description": "clips", "about": about}
    shards.write_set(table, folder / "audio", compute, **common)
    clips = shards.ShardSet(folder / "audio")
    labels, decides = victim.labels_of(clips.table)
    config = {"network": network, "parameters": {"bundle": "WAV2VEC2_ASR_BASE_960H"}}
    config |= {"labels": labels, "decides": decides} | about
    (folder / "finished").mkdir()
    return Task(clips, clips, labels, None, config, "cpu", folder, folder / "finished")


def test_a_published_file_becomes_a_victim(tmp_path, model):
    torch.save(published(model), tmp_path / "weights.pth")
    given = task(tmp_path)
    published_recogniser.train(given, published_recogniser.Recipe(weights=str(tmp_path / "weights.pth")))
    loaded = victim.load(given.finished, device="cpu")
    assert isinstance(loaded, victim.Transcriber)
    assert loaded.labels == ALPHABET
    decided = pd.read_csv(given.finished / "decisions.csv", keep_default_na=False)
    columns = ["key", "clip_id", "split", "speaker", "text", "duration_s", "decision", "confidence"]
    assert list(decided.columns) == columns
    assert list(decided.key) == ["clip1", "clip2", "clip3"]
    assert any(decided.decision)
    for row in decided.itertuples():
        audio = given.clips.load(row.key)["audio"]
        with torch.no_grad():
            logits = model(torch.from_numpy(audio)[None])[0]
        best = torch.unique_consecutive(logits[0].argmax(-1))
        text = "".join(BUNDLE.get_labels()[label] for label in best.tolist() if label)
        assert row.decision == text.lower().replace("|", " ")
        assert row.confidence == pytest.approx(logits.log_softmax(-1).max(-1).values.mean().exp().item(), rel=1e-4)
        label, _ = loaded.decode(loaded.logits(victim.padded_batch([audio], "cpu")))
        assert loaded.names(label) == [row.decision]


def test_what_is_wrong_is_told_in_one_line(tmp_path, model):
    given = task(tmp_path)
    recipe = published_recogniser.Recipe(weights=str(tmp_path / "weights.pth"))
    with pytest.raises(UserError, match=r"found no such file; fetch https://.*asr_ls960.pth"):
        published_recogniser.train(given, recipe)
    state = published(model)
    for wrong, found in [
        ([1, 2], "a list"),
        ({"model": {}}, "a dict named 'model'"),
        (state | {"encoder.strange": torch.ones(1)}, "Unexpected key.*encoder.strange"),
        (state | {"aux.bias": torch.ones(30)}, "size mismatch for aux.bias"),
    ]:
        torch.save(wrong, tmp_path / "weights.pth")
        with pytest.raises(
            UserError, match=f"expected (weights|tensors by the names) of WAV2VEC2_ASR_BASE_960H; found .*{found}"
        ):
            published_recogniser.train(given, recipe)
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="expected the network wav2vec2_ctc; found deepspeech"):
        published_recogniser.train(task(tmp_path / "other", network="deepspeech"), recipe)
    (tmp_path / "texts").mkdir()
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"the text 'café': expected characters of .*; found 'é'"):
        published_recogniser.train(task(tmp_path / "texts", texts=("go", "on", "café", "no")), recipe)
