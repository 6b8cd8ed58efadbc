"""Tiny models of transformers' families, as folders like those that people publish."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

LABELS = ["dog", "rain", "sea"]
# Of the convolutions: a step is 640 samples.
CONVOLUTIONS = {"conv_dim": (8, 8), "conv_kernel": (80, 16), "conv_stride": (40, 16)}
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
WAV2VEC = SMALL | CONVOLUTIONS | {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
WAV2VEC |= {"apply_spec_augment": False}
# What recognisers learn to write of a `clip` that is a tone and of one that is noise.
TEXTS = ("no", "an")
STEPS = 100
LETTERS = [*"abcdefghijklmnopqrstuvwxyz'"]
ENDS = ["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"]
WINDOW_S = 1


def classifier(folder: Path, family: str) -> Path:
    """A classifier of `LABELS` of the family `AST`, `Wav2Vec2`, `Hubert` or `WavLM`."""
    import transformers

    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {label: n for n, label in enumerate(LABELS)}}
    torch.manual_seed(0)
    if family == "AST":
        size = {"max_length": 64, "num_mel_bins": 32}
        config = transformers.ASTConfig(**SMALL, **size, **labels)
        transformers.ASTForAudioClassification(config).save_pretrained(folder)
        transformers.ASTFeatureExtractor(**size).save_pretrained(folder)
        return folder
    config = getattr(transformers, f"{family}Config")(**WAV2VEC, classifier_proj_size=8, **labels)
    getattr(transformers, f"{family}ForSequenceClassification")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def ctc(folder: Path, family: str, *, letters: list[str] = LETTERS, steps: int = STEPS) -> Path:
    """A recogniser of upper-case letters by CTC, with the outputs in no order, of a family as above but `AST`."""
    import transformers

    folder.mkdir()
    names = ["<pad>", "<s>", "</s>", "<unk>", "|", *(letter.upper() for letter in reversed(letters))]
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        **WAV2VEC, vocab_size=len(names), pad_token_id=0, initializer_range=0.2
    )
    model, extractor = getattr(transformers, f"{family}ForCTC")(config), transformers.Wav2Vec2FeatureExtractor()
    if steps:
        _teach(model, extractor, [[names.index(letter.upper()) for letter in text] for text in TEXTS], steps)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


def whisper(folder: Path, *, letters: list[str] = LETTERS, steps: int = STEPS) -> Path:
    """A Whisper with a window of `WINDOW_S`, whose tokens are letters, a space before each word, and "an"."""
    import transformers

    names = [*letters, "Ġ", "an", *ENDS]
    vocabulary = {name: number for number, name in enumerate(names)}
    words = {"unk_token": ENDS[0], "bos_token": ENDS[0], "eos_token": ENDS[0]}
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[("a", "n")] if "n" in letters else [], **words)
    tokenizer.save_pretrained(folder)
    end, start, begin = (vocabulary[name] for name in ENDS)
    sizes = {f"{part}_{what}": 2 for part in ("encoder", "decoder") for what in ("layers", "attention_heads")}
    sizes |= {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "d_model": 16, "num_mel_bins": 8}
    tokens = {"pad_token_id": end, "bos_token_id": end, "eos_token_id": end, "decoder_start_token_id": start}
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=len(names), max_source_positions=50 * WINDOW_S, max_target_positions=24, **sizes, **tokens
    )
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config.suppress_tokens = [vocabulary.get("z", start), start]
    model.generation_config.begin_suppress_tokens = [end]
    extractor = transformers.WhisperFeatureExtractor(feature_size=8, chunk_length=WINDOW_S)
    spelled = [tokenizer.backend_tokenizer.encode(f" {text}", add_special_tokens=False).ids for text in TEXTS]
    _teach(model, extractor, [[begin, *tokens, end] for tokens in spelled], steps)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


def clip(number: int, *, noise: bool = False) -> np.ndarray:
    """A third of a second and more, each clip of another length: a tone, or noise."""
    samples = 5000 + 800 * number
    rng = np.random.default_rng(number)
    sound = rng.uniform(-0.3, 0.3, samples) if noise else 0.3 * np.sin(np.arange(samples) * 0.1 * (1 + number / 8))
    return ((sound + 0.01 * rng.standard_normal(samples)) * 32768).round().astype("f4") / 32768


def _teach(model: Any, extractor: Any, labels: list[list[int]], steps: int) -> None:
    """Some steps towards what `TEXTS` says of two kinds of clips."""
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    clips = [clip(number, noise=noise)[:5000] for number in range(2) for noise in (False, True)]
    given = extractor(clips, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    longest = max(map(len, labels))
    wanted = torch.tensor([text + [-100] * (longest - len(text)) for text in labels * 2])
    for _ in range(steps):
        optimiser.zero_grad()
        model(**given, labels=wanted).loss.backward()
        optimiser.step()
