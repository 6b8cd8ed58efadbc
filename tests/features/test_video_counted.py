"""Videos whose container says how many pictures it holds."""

import pytest
from test_video_decoding import MPEG4, noise, pictures, written

from stages.features.video import read_video


@pytest.mark.parametrize(("gone", "count"), [(b"", 0), (b"JUNK", 2)])
def test_last_pictures_that_an_avi_lacks_by_its_own_count_are_counted(tmp_path, gone, count):
    path = written(tmp_path / "a.avi", pictures(25), noise(16000), codecs=MPEG4)
    contents = bytearray(path.read_bytes())
    movie, index = contents.index(b"movi"), contents.index(b"idx1")
    for _ in range(count):
        contents[(at := contents.rindex(b"00dc", movie, index)) : at + 4] = gone
        contents[(at := contents.rindex(b"00dc", index)) : at + 4] = gone
    path.write_bytes(contents)
    clip = read_video(path, frames_per_clip=None)
    assert (len(clip.frames), clip.frames_lost) == (25 - count, count)
