"""Room of networks: one file for each family, found by its name; `build` gives a module from inputs to logits.

`build(number_of_labels, *, sample_rate_hz, ...)` of a network of sound returns an `nn.Module` whose `forward(inputs)`
takes `audio` of shape (clips, samples) in [-1, 1), zero after each clip's `audio_length`, and gives logits of shape
(clips, labels). `takes` names its inputs, `prepare(inputs)` gives what is attacked of them. A classifier of clips has
`examples(inputs)` and `network` for training. `build(number_of_labels, *, mels, ...)` of a network of images returns an
`image_classifier.ImageClassifier`. What comes by those names is the `signal` that the set of inputs says of itself.
"""
