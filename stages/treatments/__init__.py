"""Room of treatments: what may happen to a clip between attacker and victim, one file each; defences are such.

    treat(waveforms, *, sample_rate_hz, seeds, device, <parameters of params.yaml>) -> waveforms

takes float32 mono arrays in [-1, 1), one per clip and of any lengths of at least one sample, and returns new float32
arrays of the same lengths, in step with the originals (no delay): what really happens, the true codec. A clip's result
depends on its samples and its seed, never on its batch mates. Results may leave [-1, 1): the verb that calls clips and
rounds to 16 bits, before and after. A treatment that asks for `model` gets the folder of a trained one.

Where gradients can pass, the file also has

    module(*, sample_rate_hz, device, <parameters>) -> nn.Module

from a batch `{"audio", "audio_length"}` to waveforms (clips, samples), so that an attacker can aim through it.
"""
