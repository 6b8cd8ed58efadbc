"""What a card tells of a model, and what it leaves to the model's folder."""

import json

from stages.auditing import cards


def test_a_card_tells_of_a_model_what_is_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models/speech/whisper"
    folder.mkdir(parents=True)
    parameters = {"beams": 2, "prefix": [50257, 50362], "tokenizer": "{...}" * 100}
    config = {"network": "transformers_whisper", "parameters": parameters, "labels": ["a"], "decides": "text"}
    config |= {"attacked_on": "logits", "signal": {}, "bounds": {"audio": [-1.0, 1.0]}}
    (folder / "config.json").write_text(json.dumps(config))
    told = "transformers_whisper (beams 2, prefix [50257, 50362])"
    assert cards.of_victim("models/speech/whisper") == {"kind": "victim", "name": "whisper", "made_of": told}
