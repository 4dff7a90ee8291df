"""Texts that the store keeps but the database alone does not reveal: plans and snapshots (D12, T6).

Both hold whole objects, and an object's environment and annotations may hold secrets. AES-GCM with a key of
the key file, which lies outside the database.
"""

import os
from dataclasses import dataclass

from aiops_shared.state import Keys

_NONCE_BYTES = 12  # what AES-GCM takes (NIST SP 800-38D)


class BrokenSealError(Exception):
    """The sealed text was altered, or belongs to something else."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals and opens; `about` binds a text to the row that it is for."""

    keys: Keys

    def seal(self, text: str, about: str) -> bytes:
        """The text, encrypted."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.keys.derive("snapshots")).encrypt(nonce, text.encode(), about.encode())

    def open(self, sealed: bytes, about: str) -> str:
        """The text. Raises BrokenSealError."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self.keys.derive("snapshots")).decrypt(nonce, text, about.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise BrokenSealError(about) from error
