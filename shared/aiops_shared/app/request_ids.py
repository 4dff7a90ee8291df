"""Which HTTP request the code works for: its id stands in every log line of it. Empty over stdio."""

import re
import secrets
from contextvars import ContextVar
from typing import Final

request_id: Final[ContextVar[str]] = ContextVar("aiops_request_id", default="")
_FIT = re.compile(r"[A-Za-z0-9._:/=+@-]{1,128}")


def fitting_id(given: str) -> str:
    """The id that a client or a proxy gave, or a new one where it gave none that can stand in a log."""
    return given if _FIT.fullmatch(given) else secrets.token_hex(8)
