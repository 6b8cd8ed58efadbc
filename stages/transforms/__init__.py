"""What may happen to a clip between attacker and network: one module per transform, all with the same `transform`.

    transform(waveforms, sample_rate_hz, seeds, *, <parameters of params.yaml>) -> waveforms

takes float32 mono arrays in [-1, 1), one per clip and of any lengths of at least one sample, and returns new float32
arrays of the same lengths, in step with the originals (no delay). A clip's result depends on its samples and its seed,
never on its batch mates. Results may leave [-1, 1): the stage that calls clips and rounds to 16 bits, before and after.
"""
