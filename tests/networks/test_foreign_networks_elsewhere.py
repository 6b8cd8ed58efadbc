"""Networks that others trained, on a device that is not there, see `pretended`: they say there what they say here."""

import pretended
import pytest
import small_transformers
import test_onnx_graph
import test_syncnet
import test_wav2vec2_ctc
import torch
import torchaudio

from stages import victim
from stages.features import whisper
from stages.learning.hugging_face import Source
from stages.networks import dnsmos, nsnet2, silero_vad, syncnet, wav2vec2_ctc
from stages.training import hugging_face


def _published_ctc(folder, patch):
    pipeline = torchaudio.pipelines.WAV2VEC2_ASR_BASE_960H
    patch.setattr(pipeline, "_params", pipeline._params | test_wav2vec2_ctc.SMALL)
    return wav2vec2_ctc.build(28, sample_rate_hz=16000, bundle="WAV2VEC2_ASR_BASE_960H")


def _classifier(folder, patch):
    return _of_transformers(small_transformers.classifier(folder / "model", "AST"), hugging_face.CLASSIFIER)


def _recogniser(folder, patch):
    source = small_transformers.ctc(folder / "model", "Wav2Vec2", steps=0)
    return _of_transformers(source, hugging_face.CTC, order=[*range(5, 32), 0])


def _of_transformers(folder, network, **own):
    source, auto = Source(str(folder), None), hugging_face.NETWORKS[network][0]
    features, model = source.part("AutoFeatureExtractor").to_dict(), source.model(auto)
    values = {"configuration": model.config.to_dict(), "features": features} | own
    module = victim.build(network, len(small_transformers.LABELS), values, where="t", signal={"sample_rate_hz": 16000})
    module.network.model.load_state_dict(model.state_dict())
    return module


def _whisper(folder, patch):
    return whisper.load(small_transformers.whisper(folder / "model", steps=0), "cpu", layer=2, longest_s=None)


def _nsnet2(folder, patch):
    return nsnet2.Nsnet2(test_onnx_graph.graph([test_onnx_graph.node("Sigmoid", ["x"], "y")]))


def _dnsmos(folder, patch):
    nodes = [test_onnx_graph.node("ReduceMax", ["x"], "m", axes=[1]), test_onnx_graph.node("Mul", ["m", "ones"], "y")]
    return dnsmos.Dnsmos(test_onnx_graph.graph(nodes, {"ones": [1.0, 1.0, 1.0]}))


def _silero_vad(folder, patch):
    return silero_vad.build(2, sample_rate_hz=16000)


HEARD = {
    "published CTC": _published_ctc,
    "AST": _classifier,
    "wav2vec 2.0": _recogniser,
    "NSNet2": _nsnet2,
    "DNSMOS": _dnsmos,
    "Silero VAD": _silero_vad,
}


@pytest.mark.parametrize("name", HEARD)
def test_what_is_heard_there_is_what_is_heard_here(name, tmp_path, monkeypatch):
    torch.manual_seed(0)
    module = HEARD[name](tmp_path, monkeypatch).eval()
    clips = [small_transformers.clip(number) for number in range(2)]

    def said(device):
        inputs = victim.padded_batch(clips, device)
        inputs["audio"].requires_grad_()
        told = module.to(device)(inputs)
        (gradient,) = torch.autograd.grad(told.square().sum(), inputs["audio"])
        assert str(gradient.device) == device and gradient.shape == inputs["audio"].shape
        return told.detach().cpu()

    here = said("cpu")
    with pretended.device() as device:
        torch.testing.assert_close(said(device), here, rtol=1e-3, atol=1e-4)


def test_frames_of_whisper_there_are_those_here(tmp_path):
    module = _whisper(tmp_path, None)
    audio, lengths = torch.from_numpy(small_transformers.clip(0))[None], torch.tensor([4000])
    frames, numbers = module(audio, lengths)
    with pretended.device() as device:
        there, counted = module.to(device)(audio.to(device), lengths)
        torch.testing.assert_close(there.cpu(), frames, rtol=1e-3, atol=1e-4)
        assert counted.tolist() == numbers.tolist()


def test_the_published_sync_net_embeds_there_as_here():
    torch.manual_seed(0)
    module, (faces, audio) = syncnet.build(0, **test_syncnet.SIGNAL).eval(), test_syncnet.clip(5)

    @torch.no_grad()
    def embedded(device):
        own = module.to(device)
        return own.video_embeddings(faces.to(device)).cpu(), own.audio_embeddings(audio.to(device)).cpu()

    here = embedded("cpu")
    with pretended.device() as device:
        torch.testing.assert_close(embedded(device), here, rtol=1e-3, atol=1e-4)
