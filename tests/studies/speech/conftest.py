"""The speech study made up, once for all its tests."""

import made_up
import speech_corpus

built, place, measured, made = made_up.fixtures("speech", speech_corpus)
