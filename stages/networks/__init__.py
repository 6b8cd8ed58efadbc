"""Room of networks: one file for each family, found by its name; `build` gives a module from inputs to logits.

`build(number_of_labels, *, sample_rate_hz, ...)` returns an `nn.Module` whose `forward(inputs)` takes the named inputs
(`audio` of shape (clips, samples) in [-1, 1), zero after each clip's `audio_length`) and gives logits of shape
(clips, labels), and whose `examples(inputs)` and `network` are what training uses.
"""
