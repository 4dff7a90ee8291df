"""Secrets that stand in the open: in variables, arguments, ConfigMaps, and in Secret manifests themselves.

A value is never repeated: findings name where it stands, `patching.py` masks it. Source:
https://kubernetes.io/docs/concepts/security/secrets-good-practices/.
"""

import re
from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import Check, Hit, Scope
from aiops_eks.diagnosis.scanning.subjects import Spot, mapping, mappings, name_of, numbered
from aiops_shared.guardrails.redacting import redact
from aiops_shared.guardrails.redaction_rules import is_secret_name
from aiops_shared.results import Severity

_SOURCE = "https://kubernetes.io/docs/concepts/security/secrets-good-practices/"
_NOT_SECRET = re.compile(r"(?i)(?:true|false|\d{1,6}|/[\w./-]*|https?://[^@\s]*|)")
_FLAG = re.compile(r"--?(?P<name>[\w.-]{1,100})(?:[=:](?P<value>.*))?", re.DOTALL)
_MASKED = re.compile(r"\[redacted:[a-z-]+\]")


def is_secret(name: str, value: object) -> bool:
    """Whether a literal looks like a secret, by its name or its form."""
    if not isinstance(value, str) or _NOT_SECRET.fullmatch(value) or value.startswith("$("):
        return False
    if _MASKED.fullmatch(value):
        return True
    return is_secret_name(name) or redact(value) != value


def in_env(spot: Spot) -> Iterator[Hit]:
    """Secrets as literals of variables."""
    for place, variable in numbered(spot.container, "env"):
        name = str(variable.get("name", ""))
        if is_secret(name, variable.get("value")):
            says = f"{name[:80]} holds a secret in the open (value not shown)"
            yield Hit(spot.at(f"env[{place}].value"), says)


def _from_secret(spot: Spot) -> str | None:
    """Read it from a Secret that somebody must make: the value does not go through here."""
    secret = f"{name_of(spot.obj) or 'app'}-env"
    names = []
    for variable in mappings(spot.container, "env"):
        if is_secret(str(variable.get("name", "")), variable.get("value")):
            variable.pop("value")
            variable["valueFrom"] = {"secretKeyRef": {"name": secret, "key": variable.get("name")}}
            names.append(str(variable.get("name")))
    return (
        f"make the Secret {secret} with the keys {', '.join(names)} before applying; rotate the values: "
        "they were in the open"
    )


def in_arguments(spot: Spot) -> Iterator[Hit]:
    """Secrets among the words of a command: everybody who may list pods reads them."""
    for field in ("command", "args"):
        words = (spot.container or {}).get(field)
        flag = ""
        for place, word in enumerate(words if isinstance(words, list) else []):
            text = str(word)
            found = _FLAG.fullmatch(text)
            name, value = (found["name"], found["value"]) if found else (flag, text)
            if value and is_secret(name, value):
                says = f"{field} hold a secret in the open (value not shown)"
                yield Hit(spot.at(f"{field}[{place}]"), says, fixable=False)
            flag = found["name"] if found and found["value"] is None else ""


def in_config(spot: Spot) -> Iterator[Hit]:
    """Secrets in a ConfigMap."""
    if spot.kind == "ConfigMap":
        for key, value in mapping(spot.obj, "data").items():
            if is_secret(str(key), value):
                says = f"{str(key)[:80]} holds a secret in a ConfigMap (value not shown)"
                yield Hit(f"data['{str(key)[:80]}']", says, fixable=False)


def in_manifest(spot: Spot) -> Iterator[Hit]:
    """A Secret's values in a file."""
    if spot.kind == "Secret":
        for field in ("data", "stringData"):
            if mapping(spot.obj, field):
                says = "a Secret's values stand in the manifest (not shown)"
                yield Hit(field, says, fixable=False)


def _c(rule: str, severity: Severity, scope: Scope, fix: str, look: Any, repair: Any = None) -> Check:
    return Check(rule, severity, "practice", scope, fix, _SOURCE, look, repair)


CHECKS = (
    _c("secret-in-env", "high", "container", "read it from a Secret", in_env, _from_secret),
    _c("secret-in-args", "high", "container", "read it from a Secret", in_arguments),
    _c("secret-in-configmap", "high", "object", "move it to a Secret", in_config),
    _c("secret-in-manifest", "medium", "object", "keep it in a secret store", in_manifest),
)
