"""Room of treatments: what may happen to a clip between attacker and victim, one file each; defences are such.

    treat(waveforms, *, sample_rate_hz, seeds, device, <parameters of params.yaml>) -> waveforms

takes float32 mono arrays in [-1, 1), one per clip and of any lengths of at least one sample, and returns new float32
arrays of the same lengths, in step with the originals (no delay): what really happens, the true codec. A clip's result
depends on its samples and its seed, never on its batch mates. Results may leave [-1, 1): the verb that calls clips and
rounds to 16 bits, before and after. Of no clips it returns none, and tells what does not fit: verbs ask so before
anything is computed. A treatment that asks for `model` gets the folder of a trained one.

For attackers who know of it the file also has

    through(*, sample_rate_hz, device, <parameters>) -> function

from a batch `{"audio", "audio_length"}` to waveforms (clips, samples) that gradients pass. It gives what `treat` does,
each clip as by itself and zero after its end; where chance plays, another draw at each call, the same for all clips of
the call, so that what an attacker sees of a clip does not depend on its batch either.
"""
