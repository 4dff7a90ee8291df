"""The one choke point for names: what is not a Kubernetes name never reaches a URL (threat T1).

Every reading, writing and watching call checks its words here before any request goes out. Rules:
Kubernetes "Object Names and IDs" (RFC 1123 subdomain and label, path segment names) and
apimachinery's labels and fields selector grammar. Only ASCII passes, so a look-alike letter cannot.
"""

import re
from urllib.parse import quote

from aiops_shared.errors import InvalidInputError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
# Names that are only path segments: RBAC's (`system:node`) and IP addresses (`2001:db8::1`).
_SEGMENT = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9:._@+-]*[A-Za-z0-9])?")
_SEGMENT_KINDS = re.compile(r"(cluster)?role(binding)?s?|ip(address(es)?)?")
_KIND = re.compile(r"(?=.{1,253}$)[A-Za-z][A-Za-z0-9.-]*(/[A-Za-z0-9]+){0,2}")
_CURSOR = re.compile(r"[A-Za-z0-9_\-=.+/]{1,8192}")
_UID = re.compile(r"[A-Za-z0-9-]{1,128}")
_SUBRESOURCE = re.compile(r"[a-z]{1,63}")

_KEY = r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"
# Runs of blanks are possessive (`*+`): otherwise a long hostile selector could be split in countless ways.
_SET = rf"\( *+{_VALUE} *+(?:, *+{_VALUE} *+)*\)"
_REQUIREMENT = rf" *+(?:{_KEY} *+(?:==?|!=) *+{_VALUE}|{_KEY} ++(?:not)?in *+{_SET}|!? *+{_KEY}) *+"
_SELECTOR = re.compile(rf"{_REQUIREMENT}(?:,{_REQUIREMENT})*")
_FIELD = r"[A-Za-z0-9_.\[\]-]{1,253}(?:==?|!=)[A-Za-z0-9_.:/@ -]{0,253}"
_FIELDS = re.compile(rf"{_FIELD}(?:,{_FIELD})*")
_MAX_SELECTOR = 4096


def _check(rule: re.Pattern[str], what: str, value: str, must: str) -> str:
    if rule.fullmatch(value) is None:
        raise InvalidInputError(f"{what} {_shown(value)}", f"not a valid {what}", must)
    return value


def _shown(value: str) -> str:
    """The value as it may stand in a message: ASCII only, so that a look-alike shows itself, and short."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:75] + "...'"


def namespace(value: str) -> str:
    """A namespace: an RFC 1123 label."""
    return _check(_LABEL, "namespace", value, "lower-case letters, digits and '-', at most 63")


def any_namespace(value: str) -> str:
    """A namespace, or empty for all of them."""
    return namespace(value) if value else value


def container(value: str) -> str:
    """A container: an RFC 1123 label."""
    return _check(_LABEL, "container", value, "lower-case letters, digits and '-', at most 63")


def kind_word(value: str) -> str:
    """What may be asked of discovery: `pod`, `deployments.apps`, `apps/v1/Deployment`."""
    return _check(_KIND, "kind", value, "a kind, plural or short name, plural.group, or group/version/kind")


def object_name(kind: str, value: str) -> str:
    """The name of one object. Never empty: an empty name would make a delete one of the whole collection."""
    if _SEGMENT_KINDS.fullmatch(_bare(kind)):
        return _check(_SEGMENT, "name", value, "letters, digits and ':', '.', '_', '@', '+', '-'")
    return _check(_SUBDOMAIN, "name", value, "lower-case letters, digits, '-' and '.', at most 253")


def _bare(kind: str) -> str:
    """`roles` of `roles.rbac.authorization.k8s.io` and of `rbac.authorization.k8s.io/v1/Role`."""
    return kind.rsplit("/", 1)[-1].split(".", 1)[0].lower()


def subresource(value: str) -> str:
    """`status`, `scale` and their like."""
    return _check(_SUBRESOURCE, "subresource", value, "lower-case letters")


def verb(value: str) -> str:
    """`get`, `list`, `delete` and their like."""
    return _check(_SUBRESOURCE, "verb", value, "lower-case letters")


def uid(value: str) -> str:
    """An object's UID as Kubernetes makes them."""
    return _check(_UID, "uid", value, "the object's metadata.uid")


def selector(value: str) -> str:
    """A label selector; empty selects all."""
    if not value:
        return value
    if len(value) > _MAX_SELECTOR:
        raise InvalidInputError("selector", f"longer than {_MAX_SELECTOR} characters", "narrow it")
    return _check(_SELECTOR, "selector", value, "like app=web,tier!=db,env in (a,b),!canary")


def fields(value: str) -> str:
    """A field selector; empty selects all."""
    if not value:
        return value
    if len(value) > _MAX_SELECTOR:
        raise InvalidInputError("field selector", f"longer than {_MAX_SELECTOR} characters", "narrow it")
    return _check(_FIELDS, "field selector", value, "like status.phase=Running,spec.nodeName!=a")


def cursor(value: str) -> str:
    """A page's cursor; empty asks for the first page."""
    return _check(_CURSOR, "cursor", value, "exactly as the page before gave it") if value else value


def limit(value: int, most: int = 5000) -> int:
    """How many to a page."""
    if isinstance(value, bool) or not 1 <= value <= most:
        raise InvalidInputError(f"limit {value}", "out of range", f"1 to {most}")
    return value


def path(*segments: str) -> str:
    """A URL path of single segments, each percent-encoded. Refuses what could change the path's shape."""
    for segment in segments:
        if segment in {"", ".", ".."} or not segment.isascii() or "%" in segment or "/" in segment:
            raise InvalidInputError(f"path segment {_shown(segment)}", "would change the request's path")
    return "/" + "/".join(quote(segment, safe=":@+~") for segment in segments)
