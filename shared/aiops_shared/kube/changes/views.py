"""An object as the watch journal keeps it: flat, short, redacted, without status and bookkeeping.

Of a Secret only its type and key names are kept (D8). A value that the redactor would touch, or that is long,
is kept as a keyed mark, so that a change of it is seen and the value is not.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiops_shared.kube.changes.differences import MOST, Redact
from aiops_shared.kube.changes.reading import LONGEST_VALUE, Obj, leaves, part, short
from aiops_shared.kube.shapes import mapping, meta

MOST_PATHS = 400
HIDDEN = "(hidden)"
_MARK = "\x1f"
_NOTES = (
    "kubectl.kubernetes.io/last-applied",
    "deployment.kubernetes.io/",
    "control-plane.alpha.kubernetes.io/",
)
_NODE_SPEC = ("unschedulable", "taints")
View = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Makes views. `key` is the store's own, so that a mark says nothing to anybody else."""

    redact: Redact
    key: bytes

    def view(self, obj: Obj, kind: str) -> dict[str, str]:
        """The flat view of an object."""
        found = {path: self._kept(path, value) for path, value in _intent(obj, kind)}
        return dict(list(found.items())[:MOST_PATHS])

    def digest(self, view: View) -> str:
        """A short keyed digest of a view."""
        return self._mark("\n".join(f"{path}={value}" for path, value in sorted(view.items())))

    def _kept(self, path: str, value: Any) -> str:
        plain = f"{path.rpartition('.')[2]}={value}"
        named = f"{_variable(path)}={value}"
        if self.redact(plain) != plain or self.redact(named) != named:
            return HIDDEN + _MARK + self._mark(str(value))
        text = str(value)
        return short(value) + (_MARK + self._mark(text) if len(text) > LONGEST_VALUE else "")

    def _mark(self, text: str) -> str:
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()[:16]


def _variable(path: str) -> str:
    return path.rpartition("[")[2].partition("]")[0]


def _intent(obj: Obj, kind: str) -> list[tuple[str, Any]]:
    if kind == "Secret":
        keys = sorted({*mapping(obj.get("data")), *mapping(obj.get("stringData"))})
        return [("type", obj.get("type")), ("keys", ", ".join(keys))]
    about = meta(obj)
    notes = {k: v for k, v in part(about, "annotations").items() if not str(k).startswith(_NOTES)}
    said = list(leaves({"labels": mapping(about.get("labels")), "annotations": notes}))
    if kind == "Node":  # heartbeats and addresses are no intent
        spec = part(obj, "spec")
        return [*leaves({key: spec.get(key) for key in _NODE_SPEC if key in spec}, "spec"), *said[:40]]
    body = {k: v for k, v in obj.items() if k not in {"metadata", "status", "apiVersion", "kind"}}
    return [(path, value) for path, value in (*leaves(body), *said) if value not in (None, {}, [])]


def differences(old: View, new: View) -> tuple[str, ...]:
    """What of two views is not the same, a line each."""
    changed = [path for path in dict.fromkeys((*new, *old)) if old.get(path) != new.get(path)]
    said = [_said(path, old.get(path, ""), new.get(path, "")) for path in changed[:MOST]]
    more = len(changed) - MOST
    return (*said, f"and {more} more") if more > 0 else tuple(said)


def last_state(view: View) -> tuple[str, ...]:
    """What a deleted object said, as far as it is short and may be shown."""
    shown = [
        (path, _plain(value))
        for path, value in view.items()
        if path.startswith(("data", "keys", "spec", "type"))
    ]
    more = len(shown) - MOST
    said = tuple(f"was {path}={value}" for path, value in shown[:MOST])
    return (*said, f"and {more} more") if more > 0 else said


def _said(path: str, was: str, now: str) -> str:
    before, after = _plain(was) or "none", _plain(now) or "none"
    return f"{path} changed (not shown)" if before == after else f"{path} {before} → {after}"


def _plain(value: str) -> str:
    return value.partition(_MARK)[0]
