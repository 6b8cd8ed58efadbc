"""What our own stages read in the fuzzing test: models, sets, checkpoints and what a break leaves."""

import gzip
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.fuzzing.subject import ANY, CUT, ENCODED, Subject, written

SMALL = {"encoder": [[4, 10, 5], [4, 8, 4]], "context": [[4, 2], [4, 3]], "skip": True, "log_compression": True}


def _make_victim(folder: Path) -> None:
    import torch

    from stages.frame import weights
    from stages.networks import dense

    torch.manual_seed(0)
    shape = {"architecture": "wav", "growth": 2, "modules": 1, "heads": 1}
    config = {
        "network": "dense",
        "parameters": shape,
        "signal": {"sample_rate_hz": 8000},
        "bounds": {"audio": [-1.0, 1.0]},
        "labels": ["cat", "dog"],
        "decides": "label",
        "attacked_on": "logits",
    }
    weights.save(folder, dense.build(2, sample_rate_hz=8000, **shape), config)


def _read_victim(folder: Path) -> dict[str, Any]:
    import torch

    from stages import victim

    model = victim.load(folder, device="cpu")
    audio = torch.linspace(-0.5, 0.5, 4000)[None]
    logits = model.logits({"audio": audio, "audio_length": torch.tensor([4000])})
    bounds = {name: list(limits) for name, limits in model.bounds.items()}
    state = {name: value.numpy() for name, value in model.module.named_parameters()}
    return {"labels": model.labels, "logits": logits.numpy(), "bounds": bounds, "state": state}


def _check_victim(found: dict[str, Any], whole: dict[str, Any]) -> None:
    assert len(found["labels"]) == found["logits"].shape[1] == len(set(found["labels"]))
    for low, high in found["bounds"].values():
        assert low < high
    _check_arrays(found["state"], whole["state"])


def _check_arrays(found: dict[str, np.ndarray], whole: dict[str, np.ndarray]) -> None:
    assert found.keys() == whole.keys()
    for name, value in found.items():
        assert value.dtype == whole[name].dtype and value.shape == whole[name].shape
        assert np.isfinite(value).all(), name


def _make_front_end(folder: Path) -> None:
    import torch

    from stages.frame import weights
    from stages.networks import wav2vec

    torch.manual_seed(0)
    config = {"network": "wav2vec", "parameters": SMALL, "sample_rate_hz": 16000}
    weights.save(folder, wav2vec.build(**SMALL), config)


def _read_front_end(folder: Path) -> dict[str, np.ndarray]:
    import torch

    from stages.features import wav2vec

    front_end = wav2vec.load(folder, "cpu", longest_s=1.0)
    heard, _ = front_end(torch.linspace(-0.5, 0.5, 4000)[None], torch.tensor([4000]))
    return {"heard": heard.numpy()} | {name: value.numpy() for name, value in front_end.named_parameters()}


def _make_bert(folder: Path) -> None:
    import torch
    import transformers

    from stages.pretraining import word_pieces

    torch.manual_seed(0)
    tokeniser = word_pieces.tokeniser(["glad sunny rain sad"], 30)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.BertConfig(vocab_size=len(tokeniser), max_position_embeddings=12, **sizes)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokeniser.save_pretrained(folder)


def _read_bert(folder: Path) -> dict[str, np.ndarray]:
    from stages.features import bert

    (own,) = bert.load(folder, "cpu", layer=-1)(["glad sunny rain"])
    return own


def _check_bert(found: dict[str, np.ndarray], whole: dict[str, np.ndarray]) -> None:
    assert np.isfinite(found["text"]).all() and len(found["text"]) == len(found["word"])


def _make_set(folder: Path) -> None:
    from stages.frame import shards
    from stages.frame.devices import Worker

    os.environ["SCRATCH"] = str(folder.parent / "scratch")
    table = pd.DataFrame(
        {"clip_id": [f"c{n}" for n in range(5)], "split": "train", "label": ["cat", "dog"] * 2 + ["cat"]}
    )
    table = table.assign(key=table.clip_id, problem="", file=table.clip_id + ".wav", duration_s=0.5, verified=True)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        sounds = [np.linspace(-1, 1, 50 + number, dtype="f4") for number in rows.index]
        return rows, [{"audio": sound, "video": np.full((2, 3, 3), 7, "u1")} for sound in sounds]

    about = {"signal": {"sample_rate_hz": 100}, "bounds": {"audio": [-1.0, 1.0], "video": [0.0, 255.0]}}
    shards.write_set(
        table,
        folder / "set",
        compute,
        inputs=[],
        settings="fuzzing",
        worker=Worker(),
        description="fuzzing",
        clips_per_shard=3,
        about=about | {"quantum": {"audio": 2**-15, "video": 1.0}},
    )


def _read_set(folder: Path) -> dict[str, Any]:
    from stages.frame import shards

    clips = shards.ShardSet(folder / "set")
    arrays = {key: dict(clips.load(key)) for key in clips.table.key}
    return {"arrays": arrays, "table": clips.table.to_dict("list"), "about": clips.about}


def check_set(found: dict[str, Any], whole: dict[str, Any]) -> None:
    """Arrays are numbers, and finite; bounds are a lower and a higher one."""
    for arrays in found["arrays"].values():
        for name, array in arrays.items():
            assert array.dtype.kind in "iuf" and (array.dtype.kind != "f" or np.isfinite(array).all()), name
    for limits in (found["about"].get("bounds") or {}).values():
        assert limits is None or limits[0] < limits[1]


def _make_checkpoint(folder: Path, *, zipped: bool) -> None:
    from argparse import Namespace

    import torch

    from stages.networks import wav2vec

    torch.manual_seed(0)
    state = {
        "args": Namespace(arch="wav2vec"),
        "model": wav2vec.build(**SMALL).state_dict(),
        "extra_state": {"epoch": 3},
    }
    torch.save(state, folder / "w.pt", _use_new_zipfile_serialization=zipped)


def _read_checkpoint(folder: Path) -> dict[str, np.ndarray]:
    from stages.pretraining import fairseq

    fairseq.SIZES["large"] = SMALL
    return _taken_in(folder, fairseq.learn, fairseq.Recipe(file="w.pt", sha256=None, size="large"))


def _taken_in(folder: Path, learn: Callable, recipe: Any) -> dict[str, np.ndarray]:
    """The weights of the model that a file in pretraining makes of a checkpoint in a folder."""
    from safetensors.numpy import load_file

    from stages.learning.work import Work

    finished = folder / "finished"
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()
    learn(Work(folder, finished, folder, "cpu"), recipe)
    return load_file(finished / "weights.safetensors")


def _narrow_syncnet() -> Any:
    """SyncNet's room of pretraining, for which a small one of ours stands for the published architecture."""
    from stages.networks import syncnet_mouth
    from stages.pretraining import published_syncnet

    small = partial(syncnet_mouth.build, side=44, width=0.1, dimensions=4)
    published_syncnet.syncnet.build = lambda labels, **signal: small(labels, **signal | {"crop": 48})
    return published_syncnet


def _make_syncnet(folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    published = _narrow_syncnet()
    torch.save(published.syncnet.build(0, **published.SIGNAL).state_dict(), folder / "s.model")


def _read_syncnet(folder: Path) -> dict[str, np.ndarray]:
    published = _narrow_syncnet()
    return _taken_in(folder, published.learn, published.Recipe(file="s.model", sha256=None))


def _narrow_bundle() -> Any:
    """Torchaudio's smallest model of the family, narrowed."""
    import torchaudio

    bundle = torchaudio.pipelines.WAV2VEC2_BASE
    small = {"encoder_embed_dim": 8, "encoder_num_layers": 1, "encoder_num_heads": 2, "encoder_pos_conv_groups": 2}
    small |= {"encoder_ff_interm_features": 8, "extractor_conv_layer_config": [(4, 10, 5), (4, 3, 2)]}
    bundle._params = bundle._params | small
    return bundle


def _make_bundle(folder: Path) -> None:
    import torch
    import torchaudio

    torch.manual_seed(0)
    bundle = _narrow_bundle()
    torch.save(torchaudio.models.wav2vec2_model(**bundle._params).state_dict(), folder / bundle._path)


def _read_bundle(folder: Path) -> dict[str, np.ndarray]:
    from stages.pretraining import torchaudio_bundle

    _narrow_bundle()
    return _taken_in(folder, torchaudio_bundle.learn, torchaudio_bundle.Recipe(bundle="WAV2VEC2_BASE", layer=1))


def _rounds(folder: Path, count: int) -> dict[str, Any]:
    import torch

    from stages.learning import loop

    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(module.parameters())

    def work(number: int) -> dict[str, Any]:
        loss = module(torch.full((4, 3), float(number + 1))).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"round": number, "loss": float(loss.detach())}

    history = loop.run(module, optimiser, count, work, scratch=folder)
    return {"history": history} | {name: value.numpy() for name, value in module.state_dict().items()}


def _make_broken_off(folder: Path) -> None:
    _rounds(folder, 2)


def _read_broken_off(folder: Path) -> dict[str, Any]:
    return _rounds(folder, 3)


def _check_broken_off(found: dict[str, Any], whole: dict[str, Any]) -> None:
    assert all(np.isfinite(found[name]).all() and found[name].shape == whole[name].shape for name in ("weight", "bias"))


_ARPA = """\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-0.5 <s> -0.3
-0.6 </s>
-0.7 cat -0.2
-0.9 <unk>

\\2-grams:
-0.2 <s> cat
-0.3 cat </s>

\\end\\
"""


def _make_arpa(folder: Path) -> None:
    written(folder, {"lm.arpa": _ARPA})
    (folder / "lm.arpa.gz").write_bytes(gzip.compress(_ARPA.encode()))


def _read_arpa(folder: Path) -> list[Any]:
    from stages.decoding import n_gram

    models = [n_gram.read_arpa(folder / name) for name in ("lm.arpa", "lm.arpa.gz")]
    return [[model.order, model.log_p_of, model.backoff, model.log_p("dog", ["cat"])] for model in models]


def _check_arpa(found: list[Any], whole: list[Any]) -> None:
    for order, log_p_of, backoff, _ in found:
        assert order >= 1 and all(np.isfinite([*log_p_of.values(), *backoff.values()]))


def _checkpoints(zipped: bool, exact: frozenset[str]) -> Subject:
    return Subject(partial(_make_checkpoint, zipped=zipped), ("w.pt",), _read_checkpoint, exact, _check_arrays)


def _ours(
    make: Callable[[Path], None], read: Callable[[Path], Any], check: Callable[[Any, Any], None], *files: str
) -> Subject:
    return Subject(make, files or ("*",), read, CUT | ENCODED, check, True)


SUBJECTS = {
    "victim": _ours(_make_victim, _read_victim, _check_victim),
    "front_end": _ours(_make_front_end, _read_front_end, _check_arrays),
    "bert": Subject(_make_bert, ("*",), _read_bert, frozenset(), _check_bert, True),
    "set": Subject(_make_set, ("*.json", "*.csv", "*.safetensors"), _read_set, ENCODED, check_set, True),
    "checkpoint_zip": _checkpoints(True, ANY),
    "checkpoint_old": _checkpoints(False, CUT),
    "syncnet": Subject(_make_syncnet, ("s.model",), _read_syncnet, ANY, _check_arrays),
    "bundle": Subject(_make_bundle, ("*.pth",), _read_bundle, ANY, _check_arrays),
    "broken_off": _ours(_make_broken_off, _read_broken_off, _check_broken_off),
    "arpa": _ours(_make_arpa, _read_arpa, _check_arpa),
}
