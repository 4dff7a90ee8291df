"""Twelve planted secrets, one for each place where they leak from (threat T6), and how to find them again.

The guardrail drill plants them; a test runs every read and asserts that `found_in` is empty for all output,
audit and log. None of them opens anything: every one says CANARY in its own alphabet.
"""

import gzip
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass


def _text(*parts: str) -> str:
    return "".join(parts)  # in parts, so that scanners of repositories do not take them for real ones


def _jwt(signature: str) -> str:
    head = urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    claims = urlsafe_b64encode(b'{"sub":"canary-jwt","iss":"lab"}').decode().rstrip("=")
    return f"{head}.{claims}.{signature}"


@dataclass(frozen=True, slots=True)
class Canary:
    """One planted text, and the part of it that must appear nowhere."""

    where: str
    planted: str
    core: str


_JWT_SIGNATURE = "CANARYjwtSignatureNotReal0000000000000000000"
_SA_SIGNATURE = "CANARYserviceAccountTokenNotReal00000000000"
_PEM_BODY = "MIIEvQCANARYpemCANARYpemCANARYpemCANARYpemCANARYpemCANARYpem0000"
_ALL = (
    Canary("secret-data", "canary-secret-data-Zk3vQp81", "canary-secret-data-Zk3vQp81"),
    Canary("env-literal", "canaryEnvLiteral7Hq2Wm94xT", "canaryEnvLiteral7Hq2Wm94xT"),
    Canary("annotation", _text("ghp_", "CANARYannotation00000000000000000000"), "CANARYannotation0000"),
    Canary("log", _text("xoxb-", "000000000000-CANARYlogline0000000000"), "CANARYlogline0000000000"),
    Canary("config-map", "canaryConfigMapPw5Rt8Yb31", "canaryConfigMapPw5Rt8Yb31"),
    Canary("helm-release", "canaryHelmRelease4Nc6Jx27", "canaryHelmRelease4Nc6Jx27"),
    Canary("sa-token", _jwt(_SA_SIGNATURE), _SA_SIGNATURE),
    Canary("error-text", "canaryErrorText9Lf3Dk65", "canaryErrorText9Lf3Dk65"),
    Canary("url-password", "canaryUrlPassword2Gs7Vn48", "canaryUrlPassword2Gs7Vn48"),
    Canary(
        "pem",
        _text("-----BEGIN ", "PRIVATE KEY-----\n", _PEM_BODY, "\n-----END ", "PRIVATE KEY-----\n"),
        _PEM_BODY,
    ),
    Canary("jwt", _jwt(_JWT_SIGNATURE), _JWT_SIGNATURE),
    Canary("akia", _text("AKIA", "CANARY0EXAMPLE00"), _text("AKIA", "CANARY0EXAMPLE00")),
)
PLANTED = {canary.where: canary.planted for canary in _ALL}
CANARIES = {canary.where: canary.core for canary in _ALL}


def helm_release() -> str:
    """The data of a Helm release Secret: gzip in base64, and the Secret's own base64 comes on top."""
    values = {"name": "canary", "config": {"password": PLANTED["helm-release"]}}
    return b64encode(gzip.compress(json.dumps(values).encode(), mtime=0)).decode()


def found_in(text: str) -> list[str]:
    """Which canaries stand in `text`, plainly or in base64: the places they were planted in."""
    found = [where for where, core in CANARIES.items() if core in text]
    coded = [where for where, core in CANARIES.items() if any(each in text for each in _coded(core))]
    if helm_release()[40:80] in text or b64encode(helm_release().encode()).decode()[60:100] in text:
        coded.append("helm-release")
    return sorted({*found, *coded})


def _coded(core: str) -> list[str]:
    """The middle of the text's base64 at each of the three alignments."""
    return [b64encode((" " * shift + core).encode()).decode()[4:-8] for shift in range(3)]
