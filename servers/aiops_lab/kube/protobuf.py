"""Decodes the protobuf envelope of Kubernetes for the self reviews, which typed clients send so.

Wire format after `runtime.Unknown` (prefix `k8s\\0`) and k8s.io/api/authorization/v1/generated.proto.
Everything else is refused with a sentence: the lab speaks JSON.
"""

from collections.abc import Iterator

from aiops_lab.kube.errors import bad_request, unsupported_media
from aiops_lab.kube.wire import Obj

_PREFIX = b"k8s\x00"
_RESOURCE = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
_NON_RESOURCE = ("path", "verb")
_LENGTH_DELIMITED = 2
_FIXED_SIZES = {1: 8, 5: 4}


def access_review(body: bytes) -> Obj:
    """The review as JSON would have carried it. Raises ApiError 400 or 415."""
    if not body.startswith(_PREFIX):
        raise bad_request("the object provided is unrecognized: no Kubernetes protobuf envelope")
    envelope = _messages(body[len(_PREFIX) :])
    meta = _messages(envelope.get(1, b""))
    kind = _text(meta.get(2, b""))
    if kind == "SelfSubjectReview":
        return {"apiVersion": _text(meta.get(1, b"")), "kind": kind}
    if kind == "SelfSubjectRulesReview":
        asked = _messages(_messages(envelope.get(2, b"")).get(2, b""))
        return {"apiVersion": _text(meta.get(1, b"")), "kind": kind, "spec": _named(asked, ("namespace",))}
    if kind != "SelfSubjectAccessReview":
        raise unsupported_media(
            f"the lab's Kubernetes API reads JSON and YAML, not protobuf ({kind or 'unknown kind'}): "
            "send Content-Type application/json"
        )
    spec = _messages(_messages(envelope.get(2, b"")).get(2, b""))
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": _spec(spec)}


def _spec(spec: dict[int, bytes]) -> Obj:
    if 1 in spec:
        return {"resourceAttributes": _named(_messages(spec[1]), _RESOURCE)}
    return {"nonResourceAttributes": _named(_messages(spec.get(2, b"")), _NON_RESOURCE)}


def _named(fields: dict[int, bytes], names: tuple[str, ...]) -> Obj:
    return {name: _text(fields[number]) for number, name in enumerate(names, 1) if number in fields}


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise bad_request("the object provided is unrecognized: invalid UTF-8 in protobuf") from error


def _messages(data: bytes) -> dict[int, bytes]:
    """The length-delimited fields of a message by number; others are skipped."""
    return dict(_fields(data))


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _LENGTH_DELIMITED:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise bad_request("the object provided is unrecognized: protobuf cut short")
            yield number, data[at : at + length]
            at += length
        elif wire_type == 0:
            _, at = _varint(data, at)
        elif wire_type in _FIXED_SIZES:
            at += _FIXED_SIZES[wire_type]
        else:
            raise bad_request(f"the object provided is unrecognized: protobuf wire type {wire_type}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise bad_request("the object provided is unrecognized: bad protobuf varint")
