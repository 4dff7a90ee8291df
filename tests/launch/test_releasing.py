"""The files of a release are summed and signed; what differs by a byte is refused (T16)."""

import shutil
import subprocess
from pathlib import Path

import pytest

from aiops_shared.errors import InvalidInputError
from eks_aiops.releasing import NAMESPACE, SUMS, made, main, signed, summed, verified

pytestmark = pytest.mark.threat("T16")
WHO = "release@eks-aiops"
FILES = ("eks_aiops-0.1.0-py3-none-any.whl", "eks-aiops-0.1.0.tgz", "eks-aiops.cdx.json")


def keypair(folder: Path, name: str = "key") -> Path:
    """A throwaway OpenSSH key; its public half stands beside it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", WHO, "-f", str(folder / name)]
    subprocess.run(command, check=True)
    return folder / name


def signers(folder: Path, key: Path, namespace: str = NAMESPACE) -> Path:
    """Whom a user trusts, as docs/releasing.md has it."""
    public = key.with_name(f"{key.name}.pub").read_text(encoding="utf-8")
    (folder / "allowed_signers").write_text(f'{WHO} namespaces="{namespace}" {public}', encoding="utf-8")
    return folder / "allowed_signers"


@pytest.fixture
def release(tmp_path: Path) -> tuple[Path, Path]:
    """A signed folder, and the file of trusted signers."""
    folder = tmp_path / "release"
    folder.mkdir()
    for number, name in enumerate(FILES):
        (folder / name).write_bytes(bytes([number]) * 100_000)
    key = keypair(tmp_path)
    summed(folder)
    signed(folder, key)
    return folder, signers(tmp_path, key)


def test_a_release_as_it_was_signed_holds(release: tuple[Path, Path]) -> None:
    folder, trusted = release
    assert verified(folder, trusted, WHO) == tuple(sorted(FILES))
    assert main([str(folder), "--verify", str(trusted)]) == 0


def test_the_commands_of_the_page_verify_it_without_us(release: tuple[Path, Path]) -> None:
    folder, trusted = release
    command = ["ssh-keygen", "-Y", "verify", "-f", str(trusted), "-I", WHO, "-n", NAMESPACE]
    with (folder / SUMS).open("rb") as sums:
        done = subprocess.run([*command, "-s", str(folder / f"{SUMS}.sig")], stdin=sums, check=False)
    assert done.returncode == 0
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=folder, check=True)


def test_one_changed_byte_is_refused(release: tuple[Path, Path]) -> None:
    folder, trusted = release
    body = bytearray((folder / FILES[0]).read_bytes())
    body[4711] ^= 1
    (folder / FILES[0]).write_bytes(bytes(body))
    with pytest.raises(InvalidInputError, match="not what was signed"):
        verified(folder, trusted, WHO)
    assert main([str(folder), "--verify", str(trusted)]) == 1


def test_a_changed_byte_with_its_checksum_changed_too_is_refused(release: tuple[Path, Path]) -> None:
    folder, trusted = release
    (folder / FILES[0]).write_bytes(b"evil")
    summed(folder)
    with pytest.raises(InvalidInputError, match="signature does not hold"):
        verified(folder, trusted, WHO)


def test_a_file_that_is_missing_and_one_that_nobody_signed_are_refused(release: tuple[Path, Path]) -> None:
    folder, trusted = release
    (folder / "extra.whl").write_bytes(b"x")
    with pytest.raises(InvalidInputError, match="nobody signed it"):
        verified(folder, trusted, WHO)
    (folder / "extra.whl").unlink()
    (folder / FILES[1]).unlink()
    with pytest.raises(InvalidInputError, match="missing"):
        verified(folder, trusted, WHO)


def test_another_key_another_person_and_another_purpose_are_refused(
    release: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, trusted = release
    with pytest.raises(InvalidInputError, match="does not hold"):
        verified(folder, trusted, "eve@example.com")
    with pytest.raises(InvalidInputError, match="does not hold"):
        verified(folder, signers(tmp_path, tmp_path / "key", "git"), WHO)
    eve = keypair(tmp_path, "eve")
    trusted = signers(tmp_path, tmp_path / "key")
    signed(folder, eve)
    with pytest.raises(InvalidInputError, match="does not hold"):
        verified(folder, trusted, WHO)


def test_a_folder_that_holds_files_already_is_not_signed_over(tmp_path: Path) -> None:
    (tmp_path / "old.whl").write_bytes(b"")
    with pytest.raises(InvalidInputError, match="holds files already"):
        made(tmp_path)
