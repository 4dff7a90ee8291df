"""Decodes the protobuf that typed clients such as `kubectl create` send into what JSON would have said.

The envelope is `runtime.Unknown` after the prefix `k8s\\0`; `field_table.py` knows which number is which
field. Answers stay JSON: clients that send protobuf accept it.
"""

import struct
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from aiops_lab.kube.errors import bad_request, unsupported_media
from aiops_lab.kube.field_table import Field, fields_by_number, is_list, message_of
from aiops_lab.kube.wire import Obj

_PREFIX = b"k8s\x00"
_VARINT, _FIXED_64, _LENGTH_DELIMITED, _FIXED_32 = 0, 1, 2, 5
_FIXED = {_FIXED_64: 8, _FIXED_32: 4}
_DEEPEST = 60  # messages in messages; a pod in a cron job has 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode_protobuf(body: bytes) -> Obj:
    """The object as JSON would have carried it. Raises ApiError 400, or 415 for a kind not in the table."""
    if not body.startswith(_PREFIX):
        raise bad_request("the object provided is unrecognized: no Kubernetes protobuf envelope")
    envelope = _last(body[len(_PREFIX) :])
    meta = _last(_bytes(envelope.get(1, b"")))
    version, kind = (_text(_bytes(meta.get(number, b""))) for number in (1, 2))
    message = message_of(version, kind)
    if message is None:
        raise unsupported_media(
            f"the lab's Kubernetes API does not read the protobuf of {version or 'no version'}, "
            f"{kind or 'no kind'}: send Content-Type application/json"
        )
    return {"apiVersion": version, "kind": kind, **_message(_bytes(envelope.get(2, b"")), message, 0)}


def _message(data: bytes, name: str, depth: int) -> Obj:
    """One message. What a Go client would leave out of JSON for being empty is left out."""
    if depth > _DEEPEST:
        raise bad_request("the object provided is unrecognized: protobuf nested too deep")
    found: Obj = {}
    fields = fields_by_number(name)
    for number, raw in _fields(data):
        field = fields.get(number)
        if field is not None:
            _put(found, field, raw, depth)
    return found


def _put(found: Obj, field: Field, raw: "int | bytes", depth: int) -> None:
    name, kind, flags = field
    if "m" in flags:
        key, value = _entry(_bytes(raw), kind, depth)
        found.setdefault(name, {})[key] = value
        return
    value = _value(raw, kind, depth)
    if "i" in flags:
        found.update(value)
    elif "r" in flags:
        found.setdefault(name, []).append(value)
    elif "p" in flags or value not in ("", 0, False, None, {}):
        found[name] = value


def _entry(data: bytes, kind: str, depth: int) -> tuple[str, Any]:
    """One entry of a map; an entry without a value has the empty one."""
    parts = _last(data)
    return _text(_bytes(parts.get(1, b""))), _value(parts.get(2, b""), kind, depth)


def _value(raw: "int | bytes", kind: str, depth: int) -> Any:
    if kind in _WHOLE:
        return _WHOLE[kind](raw)
    if "." not in kind:
        return _OWN_FORMS[kind](_last(_bytes(raw)))
    message = _message(_bytes(raw), kind, depth + 1)
    # A named list (authentication/v1 ExtraValue) is a message whose only field has no name.
    return message.get("", []) if is_list(kind) else message


def _int(raw: "int | bytes") -> int:
    number = raw if isinstance(raw, int) else 0
    return number - (1 << 64) if number >> 63 else number


def _double(raw: "int | bytes") -> float:
    data = _bytes(raw)
    return float(struct.unpack("<d", data)[0]) if len(data) == _FIXED[_FIXED_64] else 0.0


_WHOLE: dict[str, Any] = {
    "string": lambda raw: _text(_bytes(raw)),
    "bytes": lambda raw: b64encode(_bytes(raw)).decode(),
    "bool": lambda raw: _int(raw) != 0,
    "int": _int,
    "double": _double,
}


def _time(parts: "dict[int, int | bytes]") -> str | None:
    """RFC 3339; a time without seconds is none."""
    if not parts.get(1):
        return None
    try:
        return (_EPOCH + timedelta(seconds=_int(parts[1]))).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError as error:
        raise bad_request("the object provided is unrecognized: a time out of range") from error


def _int_or_string(parts: "dict[int, int | bytes]") -> int | str:
    return _text(_bytes(parts.get(3, b""))) if parts.get(1) else _int(parts.get(2, 0))


def _raw(parts: "dict[int, int | bytes]") -> Any:
    data = _bytes(parts.get(1, b""))
    try:
        return orjson.loads(data) if data else None
    except orjson.JSONDecodeError as error:
        raise bad_request("the object provided is unrecognized: no JSON inside protobuf") from error


# Messages with a JSON form of their own (apimachinery: Time, Quantity, IntOrString, FieldsV1, RawExtension).
_OWN_FORMS: dict[str, Any] = {
    "time": _time,
    "quantity": lambda parts: _text(_bytes(parts.get(1, b""))),
    "intstr": _int_or_string,
    "raw": _raw,
}


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise bad_request("the object provided is unrecognized: invalid UTF-8 in protobuf") from error


def _bytes(raw: "int | bytes") -> bytes:
    if isinstance(raw, int):
        raise bad_request("the object provided is unrecognized: wrong wire type in protobuf")
    return raw


def _last(data: bytes) -> "dict[int, int | bytes]":
    """The fields of a message by number, the last of each."""
    return dict(_fields(data))


def _fields(data: bytes) -> "Iterator[tuple[int, int | bytes]]":
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire_type == _LENGTH_DELIMITED:
            length, at = _varint(data, at)
        elif wire_type in _FIXED:
            length = _FIXED[wire_type]
        else:
            raise bad_request(f"the object provided is unrecognized: protobuf wire type {wire_type}")
        if at + length > len(data):
            raise bad_request("the object provided is unrecognized: protobuf cut short")
        yield number, data[at : at + length]
        at += length


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
