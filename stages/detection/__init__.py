"""Room of detection: one file for each way to tell attacked clips from others without the recogniser that was attacked.

`detector(device, **its own parameters)` gives a function from a batch (`victim.padded_batch`) to named values (clips,),
of which `score` is higher for what looks benign, and NaN for a clip too short to have one. Gradients pass the score, or
what stands for them where it has none, for attackers who know of the detector. One that asks for `model` gets the
folder of a trained one.
"""
