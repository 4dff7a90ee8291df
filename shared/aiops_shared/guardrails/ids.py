"""Names of plans, actions, approvals and snapshots: not to be guessed, safe in a URL."""

import secrets

_CHARS = 20
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def new_id(prefix: str) -> str:
    """`pln_` and twenty random characters (120 bits)."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_CHARS))
