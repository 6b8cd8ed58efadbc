"""Tool: what a forward pass of a network of params.yaml asks of a machine, counted without computing it."""

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLE_RATE_HZ, FRAMES_PER_S = 16000, 25
# Pieces of words of an utterance, and features of a frame that are no network's.
PIECES, DESCRIPTORS = 20, 34


class Cost(NamedTuple):
    """Of a forward pass of one clip: kernels called, floating-point operations, values written; and all parameters."""

    kernels: float
    operations: float
    values: float
    parameters: float

    def __add__(self, other: "Cost") -> "Cost":
        """Of one network after the other."""
        return Cost(*map(sum, zip(self, other)))


def cost(section: dict[str, Any], name: str, clip_s: float, labels: int) -> Cost:
    """Of a victim, or a pretrained model, of a study's section of params.yaml, for a clip of so many seconds.

    Of a victim with several heads `name` says which, such as `bimodal/text`. One that starts from another is like it.
    """
    if name in section.get("pretrained", {}):
        return cost_of(*_pretrained(section, name, clip_s))
    name, _, head = name.partition("/")
    given = section["victims"][section["victims"][name].get("starts_from") or name]
    network, own = given["network"], given["parameters"]
    takes = {"lip_reader": _faces, "syncnet_mouth": _faces, "speech_heads": _frames}
    otherwise = _image if given["inputs"] == "log_mel" else _sound
    signal, inputs = takes.get(network, otherwise)(section, name, clip_s)
    if head:
        own = own | given["training"]["models"][head] | {"text_features": _hidden_units(section)}
    module = _built(network, labels, own, signal)
    if network == "syncnet_mouth":
        seen, heard = inputs[0]["video"], inputs[0]["audio"]
        both = cost_of(module.video_embeddings, seen) + cost_of(module.audio_embeddings, heard)
        return both._replace(parameters=_size(module))
    if network == "speech_heads" and not module.takes_text:
        inputs = inputs[:2]
    return cost_of(module, *inputs)


def cost_of(module: Callable, *inputs: Any) -> Cost:
    """What `module(*inputs)` costs for tensors on the device `meta`, where nothing is computed.

    Operations are those of matrix products, attention and convolutions. Recurrent layers are one kernel each, as
    libraries have them, though on that device they are many. There a mask takes everything, what a network asks of
    values is false, and a number is the last one that was moved there, the length of a clip.
    """
    import torch
    from torch.fx.experimental import _config
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode

    aten = torch.ops.aten
    written, lengths = [], []
    # For each value of the output: gates, cell and state; gates, what the reset gate is applied to, and state.
    recurrent = {torch.lstm: 6, torch.gru: 5}

    class Layers(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            before = len(written)
            made = function(*args, **(kwargs or {}))
            if function in recurrent:
                written[before:] = [recurrent[function] * made[0].numel()]
            return made

    class Kernels(TorchDispatchMode):
        def __torch_dispatch__(self, kernel, types, args=(), kwargs=None):
            if kernel is aten._local_scalar_dense.default and args[0].is_meta:
                return args[0].dtype != torch.bool and lengths[-1]
            if kernel is aten._to_copy.default and not args[0].is_meta and not args[0].is_floating_point():
                lengths.append(int(args[0].max()))
            made = kernel(*args, **(kwargs or {}))
            if not kernel.is_view:
                several = made if isinstance(made, tuple | list) else [made]
                written.append(sum(one.numel() for one in several if isinstance(one, torch.Tensor)))
            return made

    takes_everything = _config.patch(meta_nonzero_assume_all_nonzero=True)
    with torch.no_grad(), takes_everything, FlopCounterMode(display=False) as counter, Kernels(), Layers():
        module(*inputs)
    return Cost(len(written), counter.get_total_flops(), sum(written), _size(module))


def features(section: dict[str, Any], name: str) -> float:
    """How many values of a set of features a second of a clip (an image: a frame) has."""
    given = section["features"][name]
    if given.get("model") == "wav2vec":
        return _speech_model(section)["context"][-1][0] * _frames_per_s(section)
    return _hidden_units(section) if "model" in given else 1


def _frames_per_s(section: dict[str, Any]) -> float:
    return SAMPLE_RATE_HZ / prod(stride for _, _, stride in _speech_model(section)["encoder"])


def _size(module: Any) -> int:
    return sum(one.numel() for one in module.parameters()) if hasattr(module, "parameters") else 0


def _built(network: str, labels: int, values: dict[str, Any], signal: dict[str, Any]) -> "nn.Module":
    from stages import victim

    return victim.build(network, labels, values, where=network, signal=signal).to("meta").eval()


def _empty(*shape: int) -> "Tensor":
    import torch

    return torch.zeros(1, *shape, device="meta")


def _length(count: int) -> "Tensor":
    import torch

    return torch.tensor([count])


def _sound(section: dict[str, Any], name: str, clip_s: float) -> tuple:
    rate_hz = section["corpora"]["audio"]["decoding"]["sample_rate_hz"]
    samples = round(clip_s * rate_hz)
    return {"sample_rate_hz": rate_hz}, [{"audio": _empty(samples), "audio_length": _length(samples)}]


def _image(section: dict[str, Any], name: str, clip_s: float) -> tuple:
    made_by = section["features"]["log_mel"]["parameters"]
    return {"mels": made_by["mels"]}, [{"log_mel": _empty(made_by["frames"], made_by["mels"])}]


def _faces(section: dict[str, Any], name: str, clip_s: float) -> tuple:
    size = section["corpora"][section["victims"][name]["inputs"]]["decoding"]["size"]
    frames, samples = round(clip_s * FRAMES_PER_S), round(clip_s * SAMPLE_RATE_HZ)
    signal = {"sample_rate_hz": SAMPLE_RATE_HZ, "frames_per_s": FRAMES_PER_S, "crop": size}
    return signal, [{"audio": _empty(samples), "video": _empty(frames, size, size), "video_length": _length(frames)}]


def _frames(section: dict[str, Any], name: str, clip_s: float) -> tuple:
    if section["victims"][name]["inputs"] == "lld":
        features, rate_hz = DESCRIPTORS, 1 / section["features"]["lld"]["parameters"]["hop_s"]
    else:
        features, rate_hz = _speech_model(section)["context"][-1][0], _frames_per_s(section)
    frames = round(clip_s * rate_hz)
    text = [_empty(PIECES, _hidden_units(section)), _length(PIECES)]
    return {"features": features}, [_empty(frames, features), _length(frames), *text]


def _speech_model(section: dict[str, Any]) -> dict[str, Any]:
    from stages.networks import wav2vec

    method = section["pretrained"]["wav2vec"]["method"]
    given = section["pretraining"][method]
    if method == "fairseq":
        return {"base": wav2vec.BASE, "large": wav2vec.LARGE}[given["size"]]
    return {name: given[name] for name in ("encoder", "context", "skip", "log_compression")}


def _hidden_units(section: dict[str, Any]) -> int:
    return _text_model(section)["hidden_size"]


def _text_model(section: dict[str, Any]) -> dict[str, int]:
    """What `transformers.BertConfig` takes; BERT-base (Devlin et al. 2019) is what it gives by itself."""
    given = section["pretraining"]["masked_words"]
    if section["pretrained"]["bert"]["method"] != "masked_words":
        return {"hidden_size": 768}
    size, layers, heads = given["hidden_units"], given["layers"], given["attention_heads"]
    own = {
        "hidden_size": size,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * size,
    }
    return own | {"vocab_size": given["vocabulary"]}


def _pretrained(section: dict[str, Any], name: str, clip_s: float) -> tuple:
    import torch

    if name == "wav2vec":
        from stages.networks import wav2vec

        samples = round(clip_s * SAMPLE_RATE_HZ)
        return wav2vec.build(**_speech_model(section)).to("meta").eval(), _empty(samples), _length(samples)
    from transformers import BertConfig, BertModel

    with torch.device("meta"):
        return BertModel(BertConfig(**_text_model(section))).eval(), torch.zeros(1, PIECES, dtype=torch.long)
