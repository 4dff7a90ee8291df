"""What typed clients send in protobuf is read as JSON would have said it; garbage is refused."""

import struct
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.field_table import fields_by_name
from aiops_lab.kube.protobuf import decode_protobuf


def varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def part(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def count(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value & (1 << 64) - 1)


def sent(version: str, kind: str, content: bytes) -> bytes:
    meta = part(1, version.encode()) + part(2, kind.encode())
    return b"k8s\x00" + part(1, meta) + part(2, content)


def read(version: str, kind: str, content: bytes) -> dict[str, Any]:
    return decode_protobuf(sent(version, kind, content))


NAMED = part(1, part(1, b"web"))


def test_names_maps_and_bytes_are_read() -> None:
    labels = part(1, part(1, b"web") + part(11, part(1, b"app") + part(2, b"web")))
    data = part(2, part(1, b"password") + part(2, b"not-a-password"))
    assert read("v1", "Secret", labels + data + part(3, b"Opaque")) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "data": {"password": "bm90LWEtcGFzc3dvcmQ="},
        "type": "Opaque",
    }


def test_a_zero_behind_a_pointer_is_kept_and_another_left_out() -> None:
    spec = count(1, 0) + count(5, 0) + count(6, 0) + count(7, 0)
    assert read("apps/v1", "Deployment", NAMED + part(2, spec))["spec"] == {
        "replicas": 0,
        "revisionHistoryLimit": 0,
    }


def test_messages_with_a_form_of_their_own_are_read_so() -> None:
    ports = part(1, count(3, 80) + part(4, count(1, 1) + part(3, b"http")))
    numbered = part(1, count(3, 81) + part(4, count(1, 0) + count(2, 8080)))
    service = read("v1", "Service", NAMED + part(2, ports + numbered))
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http", 8080]
    hard = part(1, part(1, b"pods") + part(2, part(1, b"40")))
    assert read("v1", "ResourceQuota", NAMED + part(2, hard))["spec"] == {"hard": {"pods": "40"}}
    made = part(1, part(1, b"a") + part(8, count(1, 1_700_000_000)))
    assert read("v1", "ConfigMap", made)["metadata"]["creationTimestamp"] == "2023-11-14T22:13:20Z"
    raw = part(2, part(3, part(1, orjson.dumps({"a": 1}))))
    assert "spec" not in read("v1", "ConfigMap", NAMED + raw)


def test_inlined_sources_stand_in_the_object_around_them() -> None:
    reference = part(1, part(1, b"settings"))
    volume = part(1, part(1, b"v") + part(2, part(19, reference)))
    assert read("v1", "Pod", NAMED + part(2, volume))["spec"]["volumes"] == [
        {"name": "v", "configMap": {"name": "settings"}}
    ]
    assert "configMap" in fields_by_name("core.v1.Volume")


def test_numbers_below_zero_and_unknown_fields_do_no_harm() -> None:
    assert read("v1", "Pod", NAMED + part(2, count(4, -5)))["spec"]["terminationGracePeriodSeconds"] == -5
    fixed = varint(90 << 3 | 1) + struct.pack("<d", 1.5) + varint(91 << 3 | 5) + b"1234"
    assert read("v1", "ConfigMap", NAMED + fixed + count(92, 1))["metadata"] == {"name": "web"}


def test_the_options_of_a_delete_are_read_whatever_their_group() -> None:
    assert read("policy/v1", "DeleteOptions", count(1, 0) + part(5, b"All")) == {
        "apiVersion": "policy/v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "dryRun": ["All"],
    }


def test_a_kind_that_is_not_in_the_table_is_refused_by_its_name() -> None:
    with pytest.raises(ApiError, match=r"does not read the protobuf of example.com/v1, Gadget") as refused:
        read("example.com/v1", "Gadget", b"")
    assert refused.value.status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"k8s\x00\xff",
        b"k8s\x00" + varint(1 << 3 | 3),
        sent("v1", "ConfigMap", part(1, part(1, b"\xff"))),
        sent("v1", "ConfigMap", part(1, b"\x0a\x7f")),
        sent("v1", "ConfigMap", count(1, 1)),
        sent("v1", "ConfigMap", part(1, part(8, count(1, 1 << 62)))),
        sent("v1", "ConfigMap", part(1, part(17, part(7, part(1, b"{"))))),
        b"k8s\x00" + b"\x80" * 12,
    ],
    ids=lambda body: body.hex()[:24] or "empty",
)
def test_garbage_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        decode_protobuf(body)
    assert refused.value.status in {400, 415}


KINDS = st.sampled_from(["v1/Pod", "apps/v1/Deployment", "v1/Secret", "v1/Node"])


@given(st.binary(max_size=200), KINDS)
def test_any_bytes_are_read_or_refused(content: bytes, kind: str) -> None:
    version, _, name = kind.rpartition("/")
    with suppress(ApiError):  # any other error fails the test
        assert read(version, name, content)["kind"] == name
