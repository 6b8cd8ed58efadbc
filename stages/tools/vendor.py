"""Tool: copies what pages need of npm packages into `stages/reporting/vendored`: `python -m stages.tools.vendor`.

It needs npm and a network, once for each version; pages, stages and tests need neither.
"""

import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

from stages.frame.errors import UserError, run

FOLDER = Path(__file__).parents[1] / "reporting" / "vendored"
# By package: its version, and the files taken of it, of which one is its licence.
PACKAGES = {"datatables.net": ("3.1.5", ("js/dataTables.min.js", "License.txt"))}


def main() -> None:
    """Writes the files of each package into a folder of its name, and `vendored.json`, which tells their SHA-256."""
    told = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, (version, files) in PACKAGES.items():
            tarball = _packed(f"{name}@{version}", scratch)
            told[name] = {"version": version} | taken(tarball, files, FOLDER / name)
    (FOLDER / "vendored.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(FOLDER, *(f"{name} {one['version']}" for name, one in told.items()))


def taken(tarball: Path, files: tuple[str, ...], folder: Path) -> dict:
    """Copies these files of a package into the folder; gives the package's `licence`, and `files`, SHA-256 by name.

    Raises:
        UserError: the package lacks one of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    with tarfile.open(tarball) as package:
        licence = json.loads(_content(package, "package.json"))["license"]
        for file in files:
            content = _content(package, file)
            (folder / Path(file).name).write_bytes(content)
            hashes[Path(file).name] = hashlib.sha256(content).hexdigest()
    return {"licence": licence, "files": hashes}


def _content(package: tarfile.TarFile, file: str) -> bytes:
    try:
        return package.extractfile(f"package/{file}").read()
    except KeyError:
        found = ", ".join(package.getnames())
        raise UserError(package.name, file, found, "correct PACKAGES in stages/tools/vendor.py") from None


def _packed(package: str, folder: str) -> Path:
    """The package's tarball, which npm checks against the registry's hash; written into the folder."""
    command = ("npm", "pack", package, "--json", "--pack-destination", folder)
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise UserError("npm", "it on the PATH", "none", "install it (Debian: apt install npm)") from None
    except subprocess.CalledProcessError as error:
        raise UserError(package, "a package of the npm registry", error.stderr, "correct its version") from None
    return Path(folder, json.loads(made.stdout)[0]["filename"])


if __name__ == "__main__":
    run(main)
