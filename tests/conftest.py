"""Small studies, each made once for all tests: folders in which the verbs up to the attacks have run."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator

import clones
import once
import pytest
import small_emotion
import small_faces
import small_speech
import small_transfer


def pytest_configure():
    """What tests start can be interrupted, also where they run in the background of a shell, which ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


# The longest files, so that no process is left alone with one at the end. In the first one the smoke run is made: a
# process that does not wait for it has others to go on with.
LONGEST = (
    *("test_changes", "test_readme", "test_on_another_device", "test_yours", "test_shared_work", "test_any_scores"),
    *("test_deprivation", "test_own_entries", "test_sixth_study", "test_smoke", "test_kills"),
)


def pytest_collection_modifyitems(items):
    """The longest files come first, in their order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))


def _made(study, tmp_path_factory):
    """A copy for each process of the test run, since tests go on in it."""

    def make(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("DEVICE", "cpu")
            study.make(folder)

    whole = once.made(tmp_path_factory, study.__name__, make)
    return shutil.copytree(whole, tmp_path_factory.mktemp("study"), dirs_exist_ok=True)


@pytest.fixture(scope="session")
def waiting() -> Iterator[str]:
    """The PATH by which stages of clones come to a `python` that has the libraries loaded, as in `make reproduce`."""
    from stages.tools import warm
    from stages.tools.computing import KEEP_FREED_MEMORY

    with contextlib.ExitStack() as held:
        with pytest.MonkeyPatch.context() as patch:
            # Tests whose stages do not ask for it find the PATH as it was.
            patch.setenv("PATH", f"{clones.BIN}:{os.environ['PATH']}")
            for name, value in (KEEP_FREED_MEMORY | {"OMP_NUM_THREADS": "1"}).items():
                patch.setenv(name, value)
            held.enter_context(warm.started())
            path = os.environ["PATH"]
        yield path


@pytest.fixture
def drawn_once(monkeypatch):
    """A chart is drawn once for all tests of a process to which its picture is no matter."""
    import drawn
    import vl_convert

    for name in ("vegalite_to_svg", "vegalite_to_png"):
        monkeypatch.setattr(vl_convert, name, drawn.once(name))


@pytest.fixture(scope="session")
def emotion_home(tmp_path_factory):
    """Images, a network in three variants, attacked: see `small_emotion`."""
    return _made(small_emotion, tmp_path_factory)


@pytest.fixture(scope="session")
def faces_home(tmp_path_factory):
    """Words and sentences with pictures, read, attacked; and a SyncNet: see `small_faces`."""
    return _made(small_faces, tmp_path_factory)


@pytest.fixture(scope="session")
def speech_home(tmp_path_factory):
    """Recogniser and enhancer, hardened, attacked: see `small_speech`."""
    return _made(small_speech, tmp_path_factory)


@pytest.fixture(scope="session")
def transfer_home(tmp_path_factory):
    """Heads on features of waveforms, attacked: see `small_transfer`."""
    return _made(small_transfer, tmp_path_factory)
