"""The audio-visual study made up, once for all its tests."""

import audiovisual_corpus
import made_up

built, place, measured, made = made_up.fixtures("audiovisual", audiovisual_corpus)
