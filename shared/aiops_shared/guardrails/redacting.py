"""Takes secrets out of every text that leaves: answers, errors, diffs, the audit, log records.

Two layers. `redact_tree` knows structure: a Secret's data, an environment variable's value, a key's name.
`redact` knows text: ten named rules behind one cheap look for hints, so that a clean line costs one search.
A tree is looked over once, as the text of its JSON; only where that holds a hint is it gone through.
Whole values are redacted first and cut afterwards (`shortened`): a rule cannot see half a secret.

`escape_untrusted` makes visible what text of a cluster could hide from a reader or do to a terminal (T7).

Light on purpose: `app.py` imports it at start for the log filter.
"""

import logging
import re
import traceback
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import orjson

from aiops_shared.guardrails.redaction_rules import (
    NAME,
    RULES,
    harmless,
    hinted,
    hinted_throughout,
    is_secret_name,
    mask,
)

MAX_DEPTH: Final = 200
_MOST_ROUNDS: Final = 5
_DROPPED: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
_SECRET_TYPES: Final = ("Opaque", "kubernetes.io/", "helm.sh/", "bootstrap.kubernetes.io/")
_RECORD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

Counts = Counter[str]


def redact(text: str, counts: Counts | None = None) -> str:
    """The text without the secrets that a rule knows; `counts` learns how many each rule took out."""
    if not hinted(text):
        return text
    # A mask may bring two names next to each other that a rule then reads as one assignment: again, until
    # nothing changes any more.
    for _ in range(_MOST_ROUNDS):
        before = text
        for rule in RULES:
            text = rule.applied(text, counts)
        if text == before:
            break
    return text


def shortened(text: str, limit: int) -> str:
    """Redacted whole, then cut to `limit` characters with the cut said."""
    clean = redact(text)
    return clean if len(clean) <= limit else f"{clean[: max(0, limit - 1)]}…"


def redact_tree(value: Any, counts: Counts | None = None) -> Any:
    """The same JSON value with secrets masked by place, by name and by `redact`; the input stays as it is."""
    if _is_clean(value):
        try:
            return _copied(value, 0)
        except RecursionError:
            pass
    return _tree(value, counts, 0)


def _is_clean(value: Any) -> bool:
    """Whether one look over the whole says that nothing of it is secret; False where that cannot be said."""
    try:
        return not hinted_throughout(orjson.dumps(value).decode())
    except (
        TypeError
    ):  # no JSON as it stands: half a surrogate pair, a key that is no text, a number too large
        return False


def _copied(value: Any, depth: int) -> Any:
    """What `_tree` makes of a value without secrets. Raises RecursionError where it would mask the depth."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):  # no other mapping has JSON
        _require_shallow(depth)
        return {key: _copied(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        _require_shallow(depth)
        return [_copied(item, depth + 1) for item in value]
    return value


def _require_shallow(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise RecursionError


def _tree(value: Any, counts: Counts | None, depth: int) -> Any:
    if isinstance(value, str):
        return redact(value, counts)
    if depth > MAX_DEPTH:
        return mask("depth", counts) if isinstance(value, Mapping | list | tuple) else value
    if isinstance(value, Mapping):
        return _mapping(value, counts, depth)
    if isinstance(value, list | tuple):
        return _sequence(value, counts, depth)
    return value


def _mapping(value: Mapping[Any, Any], counts: Counts | None, depth: int) -> dict[Any, Any]:
    masked = _masked_fields(value)
    clean: dict[Any, Any] = {}
    for key, item in value.items():
        if key in _DROPPED or (key == "managedFields" and isinstance(item, list)):
            continue
        name = redact(key, counts) if isinstance(key, str) else key
        if key in masked and isinstance(item, Mapping):
            clean[name] = {_key(field): mask("secret-data", counts) for field in item}
        elif key in masked or (isinstance(key, str) and is_secret_name(key)):
            clean[name] = _named(item, counts, depth)
        else:
            clean[name] = _tree(_as_secrets(value, key, item), counts, depth + 1)
    return clean


def _key(field: Any) -> Any:
    return redact(field) if isinstance(field, str) else field


def _masked_fields(value: Mapping[Any, Any]) -> frozenset[Any]:
    """Keys of this mapping whose values are secret because of what the mapping is."""
    kind, type_ = value.get("kind"), value.get("type")
    typed = isinstance(type_, str) and type_.startswith(_SECRET_TYPES)
    if kind == "Secret" or (typed and kind is None):
        return frozenset({"data", "stringData"})
    for name_key, value_key in (("name", "value"), ("key", "value"), ("Key", "Value"), ("Name", "Value")):
        name = value.get(name_key)
        if isinstance(name, str) and isinstance(value.get(value_key), str) and is_secret_name(name):
            return frozenset({value_key})
    return frozenset()


def _as_secrets(owner: Mapping[Any, Any], key: Any, item: Any) -> Any:
    """Items of a SecretList carry no kind of their own."""
    if key != "items" or owner.get("kind") != "SecretList" or not isinstance(item, list):
        return item
    return [{"kind": "Secret", **one} if isinstance(one, Mapping) else one for one in item]


def _named(item: Any, counts: Counts | None, depth: int) -> Any:
    """A value under a secret's name: text is masked, structure (`secret: {secretName: …}`) is gone into."""
    if isinstance(item, str):
        return item if harmless(item) else mask("key-name", counts)
    if isinstance(item, list | tuple):
        return [_named(one, counts, depth + 1) for one in item]
    return _tree(item, counts, depth + 1)


def _sequence(value: list[Any] | tuple[Any, ...], counts: Counts | None, depth: int) -> list[Any]:
    """Also masks what follows `--password` in a list of arguments."""
    clean: list[Any] = []
    flag = False
    for item in value:
        follows = flag and isinstance(item, str) and not item.startswith("-")
        clean.append(mask("key-name", counts) if follows else _tree(item, counts, depth + 1))
        flag = isinstance(item, str) and item.startswith("-") and NAME.fullmatch(item.lstrip("-")) is not None
    return clean


# C0 but tab and newline, DEL and C1, soft hyphen, bidirectional marks and isolates, zero-width and joiners,
# line separators, fillers, variation selectors, tag characters (text that only a model sees), surrogates.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def escape_untrusted(text: str) -> str:
    """Text of a cluster, log or file with every control, bidirectional and zero-width character spelled out.

    `\\u202e` and its like stay readable as what they are; newline and tab stay, CR LF becomes a newline.
    The result can always be encoded as UTF-8.
    """
    return _HIDDEN.sub(_spelled, text.replace("\r\n", "\n"))


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class RedactingFilter(logging.Filter):
    """Put on every log handler: message, arguments, traceback and extra fields pass through `redact`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record through, clean."""
        record.msg, record.args = redact(_message(record)), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        # A formatter would write the traceback again from exc_info, unredacted, if it found no text.
        record.exc_info = None
        record.exc_text = redact(record.exc_text) if record.exc_text else None
        record.stack_info = redact(record.stack_info) if record.stack_info else None
        for name in vars(record).keys() - _RECORD_FIELDS:
            held = getattr(record, name)
            setattr(record, name, _named(held, None, 0) if is_secret_name(name) else redact_tree(held))
        return True


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a wrong format string must not lose the record
        return f"{record.msg} {record.args!r}"
