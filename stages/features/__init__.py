"""Features: what networks see of a clip, from the audio file onwards."""
