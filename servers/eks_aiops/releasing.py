"""`make release`: the files of a release, their checksums, and a signature over these.

wheel, sdist, npm tarball, SBOM and lock go into one folder; SHA256SUMS names each; SHA256SUMS.sig is made by
`ssh-keygen -Y sign`, which every machine with OpenSSH 8.1 or newer verifies (docs/releasing.md). What indexes
and registries attest (PEP 740, npm provenance, cosign) is the publishing job's: only it has an identity.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from aiops_shared.errors import AiopsError, InvalidInputError, NotConfiguredError
from eks_aiops import sbom
from eks_aiops.locked import LOCK, ROOT

SUMS: Final = "SHA256SUMS"
NAMESPACE: Final = "eks-aiops-release"  # a signature made for another purpose does not count
_LINE: Final = re.compile(r"(?P<sum>[0-9a-f]{64})  (?P<name>[A-Za-z0-9][\w.+-]*)")
_CHUNK: Final = 1 << 20


def made(into: Path) -> None:
    """Build every file of a release. The folder must be new or empty: nothing old is signed by accident."""
    if into.exists() and any(into.iterdir()):
        raise InvalidInputError(str(into), "holds files already", "give a new folder")
    into.mkdir(parents=True, exist_ok=True)
    uv = str(Path(sys.executable).with_name("uv"))
    how = ["--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(into)]
    _run([uv, "build", *how, str(ROOT)], ROOT)
    _run([_program("npm"), "pack", "--silent", "--ignore-scripts", str(ROOT / "deploy" / "npm")], into)
    sbom.written(into / sbom.PAGE.name)
    shutil.copyfile(LOCK, into / LOCK.name)
    (into / ".gitignore").unlink(missing_ok=True)  # uv's own


def summed(folder: Path) -> Path:
    """Write SHA256SUMS over every file of the folder, in the form of `sha256sum`, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(SUMS))
    text = "".join(f"{_sha256(path)}  {path.name}\n" for path in files)
    (folder / SUMS).write_text(text, encoding="utf-8")
    return folder / SUMS


def signed(folder: Path, key: Path) -> Path:
    """Sign SHA256SUMS with an OpenSSH key; of one in an agent or on a security key, give the public half."""
    signature = folder / f"{SUMS}.sig"
    signature.unlink(missing_ok=True)
    _run([_program("ssh-keygen"), "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(folder / SUMS)], folder)
    return signature


def verified(folder: Path, signers: Path, who: str) -> tuple[str, ...]:
    """The names of files that are as they were signed.

    `signers`: OpenSSH's allowed_signers file; `who`: the identity in it. Raises InvalidInputError for a
    signature that does not hold, a file that changed or is missing, and a file that nobody signed.
    """
    sums = (folder / SUMS).read_bytes()
    words = [
        "-Y",
        "verify",
        "-f",
        str(signers),
        "-I",
        who,
        "-n",
        NAMESPACE,
        "-s",
        str(folder / f"{SUMS}.sig"),
    ]
    done = subprocess.run([_program("ssh-keygen"), *words], input=sums, capture_output=True)
    if done.returncode:
        raise InvalidInputError(f"{SUMS}.sig", "the signature does not hold", "do not use these files")
    told = {one["name"]: one["sum"] for one in map(_entry, sums.decode("utf-8").splitlines())}
    there = {path.name for path in folder.iterdir() if not path.name.startswith(SUMS)}
    for name in sorted(told.keys() | there):
        if name not in told:
            raise InvalidInputError(name, "nobody signed it", "take it away, or do not use these files")
        if name not in there or _sha256(folder / name) != told[name]:
            raise InvalidInputError(name, "it is missing or not what was signed", "fetch the files anew")
    return tuple(sorted(told))


def _entry(line: str) -> re.Match[str]:
    if found := _LINE.fullmatch(line):
        return found
    raise InvalidInputError(SUMS, "a line is no checksum and name", "do not use these files")


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            found.update(piece)
    return found.hexdigest()


def _program(name: str) -> str:
    if found := shutil.which(name):
        return found
    raise NotConfiguredError(name, "is not installed", "install it, then again")


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise InvalidInputError(
            Path(command[0]).name, done.stderr.strip()[-300:] or "failed", "mend it, then again"
        )


def main(arguments: list[str] | None = None) -> int:
    """Make and sign, or verify; 1 with the reason where it does not work or does not hold."""
    parser = argparse.ArgumentParser(prog="python -m eks_aiops.releasing", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", type=Path, help="sign with this OpenSSH key")
    parser.add_argument("--verify", type=Path, metavar="ALLOWED_SIGNERS", help="verify instead")
    parser.add_argument("--who", default="release@eks-aiops", help="the identity in ALLOWED_SIGNERS")
    asked = parser.parse_args(arguments)
    try:
        if asked.verify:
            print("\n".join(f"{name}: as signed" for name in verified(asked.folder, asked.verify, asked.who)))
            return 0
        made(asked.folder)
        print(summed(asked.folder).read_text(encoding="utf-8"), end="")
        print(f"signed: {signed(asked.folder, asked.key).name}" if asked.key else "not signed: give --key")
    except (AiopsError, OSError) as error:
        print(f"[release] {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
