"""The key file: one secret, from which the keys of the audit, of snapshots and of approvals are derived.

It lies outside the database (D15), so that who can write the audit table cannot also sign it. Made on first
use with mode 0600; one that others can read is refused, since what it signed could be anybody's.
"""

import base64
import os
import secrets
import threading
from pathlib import Path
from typing import Literal

from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import StateSettings
from aiops_shared.state.places import private_directory

Purpose = Literal["audit", "snapshots", "approvals", "journal", "behalf", "asks", "runs", "questions"]
KEY_BYTES = 32


class Keys:
    """Derived keys, read once per process. `derive` makes the file when it is missing."""

    def __init__(self, settings: StateSettings) -> None:
        self._path = settings.key_path
        self._reading = threading.Lock()
        self._secret = b""

    @property
    def path(self) -> Path:
        """The key file."""
        return self._path

    def derive(self, purpose: Purpose) -> bytes:
        """32 bytes for one purpose (HKDF-SHA256, RFC 5869). Raises `NotConfiguredError`."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        info = f"eks-aiops/{purpose}/1".encode()
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(self._loaded())

    def _loaded(self) -> bytes:
        with self._reading:
            if not self._secret:
                self._secret = _read_or_make(self._path)
            return self._secret


def _refusal(path: Path, reason: str, hint: str) -> NotConfiguredError:
    return NotConfiguredError(f"key file {path}", reason, hint)


def _read_or_make(path: Path) -> bytes:
    try:
        if not path.exists():
            private_directory(path.parent)
            _make(path)
        return _read(path)
    except OSError as error:
        raise _refusal(
            path, error.strerror or "cannot be used", "give this user the file, or set AIOPS_STATE_KEY_FILE"
        ) from error


def _make(path: Path) -> None:
    """Write a whole file under another name and link it: a second process sees all of it or none."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return  # another process was first: its key holds
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        text = file.read(1024)
    if os.name == "posix" and mode & 0o077:
        raise _refusal(
            path, "others can read it", f"run: chmod 600 {path}; if others had access, make a new key"
        )
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        secret = b""
    if len(secret) < KEY_BYTES:
        raise _refusal(
            path,
            "it does not hold a key",
            "restore it from a backup; a new key cannot verify the old audit or open old snapshots",
        )
    return secret
