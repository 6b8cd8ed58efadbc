"""What is copied of other people's packages: the files that are named, with their licence, as they were."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from stages.frame.errors import UserError
from stages.tools import vendor


def test_the_committed_files_are_those_that_were_copied():
    told = json.loads((vendor.FOLDER / "vendored.json").read_text())
    assert {name: one["version"] for name, one in told.items()} == {
        name: version for name, (version, _) in vendor.PACKAGES.items()
    }
    found = {
        (name, path.name): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in told
        for path in (vendor.FOLDER / name).iterdir()
    }
    assert found == {(name, file): sha256 for name, one in told.items() for file, sha256 in one["files"].items()}
    assert all(any("license" in file.lower() for file in one["files"]) for one in told.values())


def test_named_files_are_taken_with_their_hashes(tmp_path):
    tarball = _package(tmp_path, {"package.json": b'{"license": "MIT"}', "js/a.min.js": b"a;", "js/b.js": b"b;"})
    told = vendor.taken(tarball, ("js/a.min.js",), tmp_path / "taken")
    assert told == {"licence": "MIT", "files": {"a.min.js": hashlib.sha256(b"a;").hexdigest()}}
    assert {path.name: path.read_bytes() for path in (tmp_path / "taken").iterdir()} == {"a.min.js": b"a;"}


def test_a_file_that_a_package_lacks_is_told(tmp_path):
    tarball = _package(tmp_path, {"package.json": b'{"license": "MIT"}', "js/a.js": b"a;"})
    with pytest.raises(UserError, match=r"expected js/b\.js; found package/package\.json, package/js/a\.js; correct"):
        vendor.taken(tarball, ("js/b.js",), tmp_path / "taken")


def _package(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as package:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    return path
