"""An object as it may be shown: without noise, without secrets.

Called by the object reader before anything is picked from an object, since a value torn out of its place is
no longer recognised. What a Secret holds is known by its place; what a custom kind holds, by its name.
"""

import copy
from typing import Any, cast

from aiops_eks.models.fields import part, text
from aiops_shared.guardrails.redacting import redact_tree

Obj = dict[str, Any]
MASK = "[redacted: secret data]"
# Kinds with "secret" in their name that hold references or addresses only, no values.
_HARMLESS = frozenset({"SecretStore", "ClusterSecretStore", "ExternalSecret", "ClusterExternalSecret"})
_HOLDING = ("data", "stringData", "binaryData", "encryptedData", "values")
_NOISE = ("managedFields", "selfLink", "generateName")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def shown(obj: Obj) -> Obj:
    """A clean copy: managedFields and last-applied gone, values of secrets masked, texts redacted."""
    clean = copy.deepcopy(obj)
    about = clean.get("metadata")
    if isinstance(about, dict):
        for key in _NOISE:
            about.pop(key, None)
        notes = about.get("annotations")
        if isinstance(notes, dict):
            notes.pop(_LAST_APPLIED, None)
    if _holds_secrets(clean):
        _mask(clean)
    return cast("Obj", redact_tree(clean))


def _holds_secrets(obj: Obj) -> bool:
    kind = text(obj, "kind")
    if kind == "ConfigMap":  # Helm may keep its releases in ConfigMaps: whole manifests, secrets among them
        return text(obj, "metadata", "name").startswith("sh.helm.release.") or (
            part(obj, "metadata", "labels").get("owner") == "helm"
        )
    return ("secret" in kind.lower() and kind not in _HARMLESS) or kind == "HelmRelease"


def _mask(value: object) -> None:
    """Below the keys that hold values, every leaf is masked and only the names stay."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _HOLDING:
                value[key] = _names_only(item)
            else:
                _mask(item)
    elif isinstance(value, list):
        for item in value:
            _mask(item)


def _names_only(value: object) -> object:
    if isinstance(value, dict):
        return {key: _names_only(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_names_only(item) for item in value]
    return MASK
