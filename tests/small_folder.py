"""A corpus of sounds in a folder `sounds`, listed in its clips.csv: its entry in params.yaml."""

FOLDER = {
    "reader": "folder",
    "root": "sounds",
    "skip_unreadable": False,
    "parameters": {"validation_share": 0.0},
    "decoder": "audio",
    "decoding": {"recorded_at_hz": None, "sample_rate_hz": 16000, "average_channels": False},
}
