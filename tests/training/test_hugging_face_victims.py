"""From the folder of a model of transformers to a table of attacks on it, with tiny random models."""

import json
from pathlib import Path

import pandas as pd
import pytest
import small_transformers
import torch
import transformers
import yaml
from small_transformers import clip

from stages import attack, audit, train, victim
from stages.attacking import treated
from stages.frame import clip_table, shards
from stages.frame.columns import typed
from stages.frame.devices import Worker
from stages.frame.errors import UserError

RATE_HZ = 16_000
KINDS = ["AST", "Wav2Vec2", "Hubert", "WavLM"]
DEEPFOOL = {"iterations": 30, "overshoot": 0.02, "candidates": 3, "kept_candidates": 2}
DEEPFOOL |= {"step_growth": 1.1, "growth_after": 15, "bisections": 4}
NORMALISED = {"iterations": 8, "confidence": 0.0, "step": 0.15, "last_step": 0.01, "resize": 0.1}
SEARCHED = {"iterations": 30, "relative_step": 0.2, "shrink": 0.8, "checked_every": 5, "tolerated_wer": 0.0}
AIR = {"snr_db": -10.0, "iterations": 30, "relative_step": 0.3, "shrink": None, "checked_every": 5, "band_hz": None}
AIR |= {"noise_snr_db": None, "rooms_per_step": 0, "checked_rooms": 1, "needed": 1.0}
ATTACKS = {
    "deepfool": {"attack": "deepfool", "parameters": DEEPFOOL},
    "normalised": {"attack": "cw_normalised", "parameters": NORMALISED},
    "bim": {"attack": "bim", "epsilon": 0.3, "parameters": {"steps": 6, "relative_step": 0.35, "random_starts": 1}},
    "targeted": {"attack": "targeted_transcription", "epsilon": 0.5, "parameters": SEARCHED},
    "air": {"attack": "over_the_air", "parameters": AIR},
}
PLANS = {
    "correct": {"plan": "correct", "clips_per_label": 2, "batch_size": 2},
    "phrases": {"plan": "phrases", "targets": ["an"], "batch_size": 2},
}


def study(home: Path, *, network: str, source: Path | str, words: list[str], **changes) -> None:
    """Parameters of a study whose clips, all of the test split, have these labels or texts."""
    decided, other = ("label", "text") if network.endswith("classifier") else ("text", "label")
    table = pd.DataFrame({"key": [f"c{number}" for number in range(len(words))], decided: words, other: ""})
    table = table.assign(
        clip_id=table.key, split="test", speaker="s", verified=True, duration_s=0.5, problem="", fold=""
    )
    about = {"signal": {"sample_rate_hz": RATE_HZ}, "bounds": {"audio": [-1.0, 1 - 2**-15]}}
    about["quantum"] = {"audio": 2**-15}
    shards.write_set(
        table,
        home / "data/s/audio",
        lambda rows: (rows, [{"audio": small_transformers.clip(number)} for number in rows.index]),
        inputs=[],
        settings=0,
        worker=Worker(),
        description="t",
        about=about,
    )
    own = {"inputs": "audio", "network": network, "method": "hugging_face", "training": {"source": str(source)}}
    attacked = {"victims": ["own"], "network": network}
    sets = {"classes": {"attacks": ["deepfool", "normalised", "bim"], "plan": "correct"}}
    sets["texts"] = {"attacks": ["targeted", "air"], "plan": "phrases"}
    sections = {"victims": {"own": own | changes}, "plans": PLANS, "attacks": ATTACKS, "recipes": {}}
    sections["attacked"] = {name: attacked | one for name, one in sets.items()}
    guards = {"victim": "own", "network": network, "inputs": "audio", "clips": 2, "batch_size": 1}
    guards |= {"treatments": ["none", "noise"], "unaware": "air", "aware": "air", "targets": ["an"]}
    sections["guarded"] = {"s": {"heard": guards}}
    sections["treatments"] = {"none": {"treatment": "none"}}
    sections["treatments"]["noise"] = {"treatment": "white_noise", "parameters": {"snr_db": 40.0}}
    (home / "params.yaml").write_text(yaml.safe_dump({"s": sections}, sort_keys=False))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return small_transformers.whisper(tmp_path_factory.mktemp("whisper") / "model")


def attacks_on(name: str) -> pd.DataFrame:
    attack.main("s", name)
    return shards.ShardSet(Path("data/s/adversarial", name)).table


def check_phrases(made: pd.DataFrame) -> None:
    assert sorted(made.attack) == ["air", "air", "targeted", "targeted"]
    assert "an" not in set(made.clean_prediction) and set(made.adversarial_prediction) == {"an"}
    assert made.success.all() and made.found.all() and not made.impossible.any()


@pytest.mark.parametrize("family", KINDS)
def test_a_classifier_decides_as_transformers_does_and_is_attacked(home, family):
    source = small_transformers.classifier(home / "model", family)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(source)
    model = transformers.AutoModelForAudioClassification.from_pretrained(source).eval()
    given = [extractor(clip(number), sampling_rate=RATE_HZ, return_tensors="pt") for number in range(3)]
    with torch.no_grad():
        logits = torch.cat([model(one["input_values"]).logits for one in given])
    words = [small_transformers.LABELS[label] for label in logits.argmax(1)]
    study(home, network="transformers_classifier", source=source, words=words)
    train.main("s", "own")
    assert not (source / "weights.safetensors").exists()
    own = victim.load("models/s/own", device="cpu")
    assert type(own) is victim.Victim and own.labels == small_transformers.LABELS
    batch = victim.padded_batch([clip(number) for number in range(3)], "cpu")
    assert torch.allclose(own.logits(batch), logits, atol=1e-4)
    decisions = pd.read_csv("models/s/own/decisions.csv")
    assert list(decisions.decision) == words
    made = attacks_on("classes")
    assert made.groupby("attack").size().to_dict() == dict.fromkeys(["bim", "deepfool", "normalised"], len(made) // 3)
    assert made.success.all() and not made.zero_gradient.any()
    assert (made.adversarial_prediction != made.label).all()


@pytest.mark.parametrize("family", KINDS[1:])
def test_a_recogniser_by_ctc_writes_as_transformers_does_and_is_made_to_say_a_phrase(home, family):
    source = small_transformers.ctc(home / "model", family)
    study(home, network="transformers_ctc", source=source, words=["no", "no"])
    train.main("s", "own")
    own = victim.load("models/s/own", device="cpu")
    assert sorted(own.labels) == sorted([" ", *small_transformers.LETTERS])
    processor = transformers.AutoProcessor.from_pretrained(source)
    model = transformers.AutoModelForCTC.from_pretrained(source).eval()
    decisions = pd.read_csv("models/s/own/decisions.csv", keep_default_na=False)
    for number, decided in enumerate(decisions.decision):
        given = processor(audio=clip(number), sampling_rate=RATE_HZ, return_tensors="pt")
        with torch.no_grad():
            logits = model(**given).logits
        ours = own.logits(victim.padded_batch([clip(number)], "cpu"))
        ids = processor.tokenizer.convert_tokens_to_ids
        assert torch.allclose(ours[0, :, own.labels.index("q")], logits[0, :, ids("Q")], atol=1e-4)
        assert torch.allclose(ours[0, :, -1], logits[0, :, 0], atol=1e-4)
        if not (logits.argmax(-1)[..., None] == torch.tensor(ids(["<s>", "</s>", "<unk>"]))).any():
            assert decided.split() == processor.batch_decode(logits.argmax(-1))[0].lower().split()
    check_phrases(attacks_on("texts"))


@pytest.mark.parametrize("beams", [1, 3])
def test_a_sequence_model_writes_as_transformers_does(home, whisper, beams):
    study(home, network="transformers_whisper", source=whisper, words=["no", "no"], parameters={"beams": beams})
    train.main("s", "own")
    processor = transformers.WhisperProcessor.from_pretrained(whisper)
    model = transformers.WhisperForConditionalGeneration.from_pretrained(whisper).eval()
    given = processor(audio=[clip(0), clip(1)], sampling_rate=RATE_HZ, return_tensors="pt").input_features
    prefix = torch.tensor([processor.tokenizer.prefix_tokens] * 2)
    made = model.generate(given, decoder_input_ids=prefix, num_beams=beams, max_length=24)
    expected = processor.batch_decode(made, skip_special_tokens=True)
    decisions = pd.read_csv("models/s/own/decisions.csv", keep_default_na=False)
    assert list(decisions.decision) == [" ".join(text.split()) for text in expected]
    assert list(decisions.decision) == ["no", "no"] and decisions.confidence.between(0.5, 1).all()


def test_a_sequence_model_is_made_to_say_a_phrase(home, whisper):
    study(home, network="transformers_whisper", source=whisper, words=["no", "no"])
    train.main("s", "own")
    check_phrases(attacks_on("texts"))


def test_a_sequence_model_behind_treatments_is_audited(home, whisper):
    study(home, network="transformers_whisper", source=whisper, words=["no", "no"])
    train.main("s", "own")
    audit.main("s", "guarded.s.heard")
    made = typed(clip_table.read("data/s/guarded/s/heard/clips.csv"), ("right",), ("met",))
    assert made.groupby(["defence", "knowledge"]).clip_id.nunique().unstack().shape == (2, 5)
    decided = made.groupby("knowledge").decision.agg(set)
    assert decided.benign == {"no"} and decided.aware == {"an"}
    assert (made.right == (made.decision != "an")).all()


def test_of_one_look_a_sequence_model_searches_its_text_once(home, whisper, monkeypatch):
    study(home, network="transformers_whisper", source=whisper, words=["no", "no"])
    train.main("s", "own")
    own, searches = victim.load("models/s/own", device="cpu"), []
    search = transformers.GenerationMixin.generate
    monkeypatch.setattr(
        transformers.GenerationMixin, "generate", lambda *given, **told: searches.append(1) or search(*given, **told)
    )
    goal = victim.Goal(own.encode(["no"]), targeted=True)
    first, second = (own.logits(victim.padded_batch([clip(number, noise=number == 1)], "cpu")) for number in (0, 1))
    assert own.meets(first, goal).item() and own.names(own.decode(first)[0]) == ["no"]
    assert len(searches) == 1
    assert own.names(own.decode(second)[0]) == ["an"] and not own.meets(second, goal).item()
    assert len(searches) == 2


def refused(home: Path, told: str, **changes) -> None:
    """That the folder is told in one line when it is taken in."""
    study(home, words=["no", "no"], **changes)
    with pytest.raises(UserError, match=told) as caught:
        train.main("s", "own")
    assert "\n" not in str(caught.value)


def edited(folder: Path, **values) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "config.json").unlink(), "expected a model of transformers; found no config.json"),
        (lambda folder: edited(folder, model_type="bert"), "types wav2vec2, hubert, wavlm; found one of .*'bert'"),
        (lambda folder: edited(folder, auto_map={"AutoModelForCTC": "evil.M"}), "found code .auto_map in config.json"),
        (lambda folder: edited(folder, num_hidden_layers=3), r"found missing: .*layers\.2\."),
        (lambda folder: edited(folder, num_hidden_layers=1), r"found unexpected: .*layers\.1\."),
        (lambda folder: edited(folder, vocab_size=7), r"found mismatched: .*lm_head"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "expected what AutoFeatureExtractor opens"),
        (lambda folder: (folder / "vocab.json").write_text('{"<pad>": 0, "go": 1}'), "single characters; found 'go'"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut"), "a whole model in safetensors; found Safe"),
    ],
)
def test_a_folder_that_is_not_what_it_should_be_is_told(home, damage, told):
    source = small_transformers.ctc(home / "model", "Wav2Vec2", steps=0)
    damage(source)
    refused(home, told, network="transformers_ctc", source=source)


def test_a_pickle_alone_is_not_opened(home):
    source = small_transformers.ctc(home / "model", "Wav2Vec2", steps=0)
    (source / "model.safetensors").unlink()
    torch.save(Ran(home / "ran"), source / "pytorch_model.bin")
    refused(home, "weights in safetensors; found pytorch_model.bin alone", network="transformers_ctc", source=source)
    assert not (home / "ran").exists()


class Ran:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("network", "make", "changes", "told"),
    [
        ("transformers_ctc", "ctc", {"letters": list("abc")}, "the text 'no': expected characters of .*; found 'n'"),
        (
            "transformers_whisper",
            "whisper",
            {"letters": list("abc")},
            "the text 'no': .* the model's tokenizer; found 'n'",
        ),
        ("transformers_ctc", "whisper", {}, "found one of the type 'whisper'"),
        ("deepspeech", "whisper", {}, "expected one of the networks transformers_classifier, .*; found deepspeech"),
    ],
)
def test_a_model_that_does_not_fit_is_told(home, network, make, changes, told):
    options = {"family": "Wav2Vec2"} if make == "ctc" else {}
    source = getattr(small_transformers, make)(home / "model", steps=0, **options, **changes)
    refused(home, told, network=network, source=source)


def test_what_is_nowhere_says_where_to_get_it(home, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    told = "acme/whisper-none: expected a folder, or a model of the hub; .*hf download acme/whisper-none --local-dir"
    refused(home, told, network="transformers_whisper", source="acme/whisper-none")


def test_a_clip_longer_than_the_window_is_told(home, monkeypatch):
    source = small_transformers.whisper(home / "model", steps=0)
    monkeypatch.setattr(small_transformers, "clip", lambda number: clip(15))
    refused(home, "a clip: expected .* to 1 s, the model's window", network="transformers_whisper", source=source)


def test_a_phrase_that_can_never_be_written_is_impossible_and_a_treatment_may_stand_in_front(home):
    source = small_transformers.whisper(home / "model", steps=0)
    study(home, network="transformers_whisper", source=source, words=["no", "no"])
    train.main("s", "own")
    own = victim.load("models/s/own", device="cpu")
    given = victim.padded_batch([clip(0), clip(1), clip(2)], "cpu")
    goal = victim.Goal(own.encode(["an", "a" * 30, "zoo"]), targeted=True)
    assert own.possible(given, goal).tolist() == [True, False, False]
    quieter = treated.behind(lambda inputs: inputs["audio"] / 2, own)
    halved = own.logits(given | {"audio": given["audio"] / 2})
    assert torch.allclose(quieter.loss(quieter.logits(given), goal), own.loss(halved, goal))
    # Descent on it makes a target likelier, and what is said less likely.
    tokens, heard = own._tokens(goal.labels[:1]), own.logits(given)[:1]
    log_p = own.network.allowed(own.network.logits_of(heard, tokens)).log_softmax(-1)
    expected = -log_p.gather(-1, tokens[..., None]).sum()
    told = [own.loss(heard, victim.Goal(goal.labels[:1], targeted=aimed)) for aimed in (True, False)]
    assert torch.cat(told).tolist() == pytest.approx([float(expected), -float(expected)], rel=1e-4) and expected > 0
    with pytest.raises(UserError, match=r"drawn once at each look .*; found 3 draws"):
        treated.behind(lambda inputs: inputs["audio"], own, draws=3)
