"""One spelling for every value that is hashed: sorted keys, no spaces, UTF-8.

Plans, approvals and object digests are compared by hash, so two processes must write the same bytes.
"""

import hashlib
import hmac
import json
from typing import Any


def canonical(value: Any) -> str:
    """The one JSON text of `value`; refuses NaN, which is no JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_of(value: Any) -> str:
    """Hex digest of the canonical text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def mac_of(key: bytes, value: Any) -> str:
    """Hex HMAC-SHA256 of the canonical text: only a holder of the key file can make it."""
    return hmac.new(key, canonical(value).encode(), hashlib.sha256).hexdigest()
