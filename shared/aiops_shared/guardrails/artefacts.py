"""What an action collected and nobody may read through a tool: profiles, kept encrypted beside the state.

A heap holds whatever the program holds, secrets too (T6): only names and numbers drawn from it leave. The
file is sealed with the key file's key; a note beside it says what was drawn, so that whoever carries the
action on finds it. Kept thirty days.
"""

import hashlib
import json
import os
import time
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from aiops_shared.errors import InvalidInputError, NotConfiguredError
from aiops_shared.guardrails.sealing import Sealer
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys

KEPT_S = 30 * 86_400.0
FOLDER = "artefacts"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One kept artefact."""

    sha256: str
    size_bytes: int
    path: str
    note: dict[str, Any]


@dataclass(frozen=True)
class Artefacts:
    """A folder of sealed files in the state directory. Every method works in a thread."""

    settings: StateSettings

    async def keep(self, key: str, data: bytes, note: dict[str, Any]) -> Artefact:
        """Seal and write; the same key again replaces it. Raises NotConfiguredError when it cannot."""
        return await anyio.to_thread.run_sync(self._keep, _checked(key), data, note)

    async def find(self, key: str) -> Artefact | None:
        """What was kept under the key, without opening it."""
        return await anyio.to_thread.run_sync(self._find, _checked(key))

    def _keep(self, key: str, data: bytes, note: dict[str, Any]) -> Artefact:
        digest = hashlib.sha256(data).hexdigest()
        folder = self._folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._forget_old()
            sealed = Sealer(Keys(self.settings)).seal(b64encode(data).decode(), digest)
            path = folder / f"{key}.sealed"
            _write(path, sealed)
            told = {"sha256": digest, "size_bytes": len(data), "note": note}
            _write(folder / f"{key}.json", json.dumps(told).encode())  # last: it says that the rest is there
        except OSError as error:
            reason = error.strerror or "cannot be written"
            raise NotConfiguredError(
                f"artefacts in {folder}", reason, "free its disk, check its rights"
            ) from error
        return Artefact(digest, len(data), str(path), note)

    def _find(self, key: str) -> Artefact | None:
        try:
            told = json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        path = str(self._folder / f"{key}.sealed")
        return Artefact(str(told["sha256"]), int(told["size_bytes"]), path, dict(told["note"]))

    @property
    def _folder(self) -> Path:
        return self.settings.dir / FOLDER

    def _forget_old(self) -> None:
        end = time.time() - KEPT_S
        for path in self._folder.iterdir():
            if path.stat().st_mtime < end:
                path.unlink(missing_ok=True)


def _checked(key: str) -> str:
    if not (key.isascii() and key.replace("-", "").isalnum() and len(key) <= 80):
        raise InvalidInputError("artefact", "its key is not a plain word", "letters, digits and '-'")
    return key


def _write(path: Path, data: bytes) -> None:
    """All or nothing, readable by its owner alone."""
    draft = path.with_suffix(path.suffix + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)
