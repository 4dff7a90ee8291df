"""What a create may not say."""

import pytest

from tests.cluster.contract.cases import NOT_ALLOWED, Case, check, done, invalid, refused
from tests.cluster.contract.objects import DEPLOYMENTS, MAPS, config_map, deployment
from tests.cluster.contract.server import MERGE, Obj, Server

MAKING, MAKING_DEPLOYMENT = f"POST {MAPS}", f"POST {DEPLOYMENTS}"


def named(name: str, **meta: object) -> Obj:
    """A ConfigMap with nothing but metadata."""
    return {"metadata": {"name": name, **meta}}


CASES = (
    Case(
        "exists",
        MAKING,
        body=config_map(),
        given=("map",),
        expected=refused(
            409, "AlreadyExists", 'configmaps "cm" already exists', {"name": "cm", "kind": "configmaps"}
        ),
    ),
    Case(
        "no name",
        MAKING,
        body={"data": {}},
        expected=invalid(
            "ConfigMap",
            "",
            ("FieldValueRequired", "metadata.name", "Required value: name or generateName is required"),
        ),
    ),
    Case(
        "empty body",
        MAKING,
        body=b"",
        expected=refused(
            400,
            "BadRequest",
            (
                "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
                "version/kind; json parse error: unexpected end of JSON input (<empty>)"
            ),
        ),
    ),
    Case(
        "no object",
        MAKING,
        body=b'"text"',
        expected=refused(
            400,
            "BadRequest",
            (
                "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
                "version/kind; json parse error: json: cannot unmarshal string into Go value of type "
                'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string '
                '"json:\\"kind,omitempty\\"" } (227465787422)'
            ),
        ),
    ),
    Case(
        "a list",
        MAKING,
        body=b"[]",
        expected=refused(
            400,
            "BadRequest",
            (
                "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
                "version/kind; json parse error: json: cannot unmarshal array into Go value of type "
                'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string '
                '"json:\\"kind,omitempty\\"" } (5b5d)'
            ),
        ),
    ),
    Case(
        "cut JSON",
        MAKING,
        body=b"{",
        expected=refused(
            400,
            "BadRequest",
            (
                "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
                "version/kind; json parse error: unexpected end of JSON input ({)"
            ),
        ),
    ),
    Case(
        "invalid UTF-8",
        MAKING,
        body=b'{"metadata":{"name":"x"},"data":{"a":"\xff"}}',
        expected=done(201, kind="ConfigMap", name="x"),
    ),
    Case(
        "wrong kind",
        MAKING,
        body={"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}},
        expected=refused(
            400,
            "BadRequest",
            (
                'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to '
                "(core.ConfigMap): unknown conversion"
            ),
        ),
    ),
    Case(
        "wrong group",
        MAKING,
        body={"kind": "ConfigMap", "apiVersion": "apps/v1", "metadata": {"name": "x"}},
        expected=refused(
            400,
            "BadRequest",
            (
                'ConfigMap in version "v1" cannot be handled as a ConfigMap: no kind "ConfigMap" is '
                'registered for version "apps/v1" in scheme "pkg/runtime/scheme.go:110"'
            ),
        ),
    ),
    Case(
        "unknown kind",
        MAKING,
        body={"kind": "Nonsense", "apiVersion": "v1", "metadata": {"name": "x"}},
        expected=refused(
            400,
            "BadRequest",
            (
                'Nonsense in version "v1" cannot be handled as a ConfigMap: no kind "Nonsense" is '
                'registered for version "v1" in scheme "pkg/runtime/scheme.go:110"'
            ),
        ),
    ),
    Case(
        "form",
        MAKING,
        body=b"a=b",
        sent_as="application/x-www-form-urlencoded",
        expected=refused(
            415,
            "UnsupportedMediaType",
            (
                "the body of the request was in an unknown format - accepted media types include: "
                "application/json, application/yaml, application/vnd.kubernetes.protobuf"
            ),
        ),
    ),
    Case(
        "another namespace",
        MAKING,
        body=named("x", namespace="other"),
        expected=refused(
            400,
            "BadRequest",
            ("the namespace of the provided object does not match the namespace sent on the request"),
        ),
    ),
    Case(
        "missing namespace",
        "POST /api/v1/namespaces/missing/configmaps",
        body=config_map(),
        expected=refused(
            404, "NotFound", 'namespaces "missing" not found', {"name": "missing", "kind": "namespaces"}
        ),
    ),
    Case(
        "with a version",
        MAKING,
        body=named("x", resourceVersion="5"),
        expected=refused(500, None, "resourceVersion should not be set on objects to be created"),
    ),
    Case(
        "upper case name",
        MAKING,
        body=named("Upper"),
        expected=invalid(
            "ConfigMap",
            "Upper",
            (
                "FieldValueInvalid",
                "metadata.name",
                (
                    'Invalid value: "Upper": a lowercase RFC 1123 subdomain must consist of lower case '
                    "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
                    "character (e.g. 'example.com', regex used for validation is "
                    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                ),
            ),
        ),
    ),
    Case(
        "long name",
        MAKING,
        body=named("n" * 254),
        expected=invalid(
            "ConfigMap",
            "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
            (
                "FieldValueInvalid",
                "metadata.name",
                (
                    "Invalid value: "
                    '"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn'
                    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
                    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
                    'nnn": must be no more than 253 characters'
                ),
            ),
        ),
    ),
    Case(
        "bad label key",
        MAKING,
        body=named("x", labels={"a b": "c"}),
        expected=invalid(
            "ConfigMap",
            "x",
            (
                "FieldValueInvalid",
                "metadata.labels",
                (
                    "Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' "
                    "or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
                    "'my.name',  or '123-abc', regex used for validation is "
                    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                ),
            ),
        ),
    ),
    Case(
        "bad label value",
        MAKING,
        body=named("x", labels={"a": "c d"}),
        expected=invalid(
            "ConfigMap",
            "x",
            (
                "FieldValueInvalid",
                "metadata.labels",
                (
                    'Invalid value: "c d": a valid label must be an empty string or consist of '
                    "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
                    "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
                ),
            ),
        ),
    ),
    Case(
        "long label value",
        MAKING,
        body=named("x", labels={"a": "c" * 64}),
        expected=invalid(
            "ConfigMap",
            "x",
            (
                "FieldValueInvalid",
                "metadata.labels",
                (
                    'Invalid value: "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc": '
                    "must be no more than 63 characters"
                ),
            ),
        ),
    ),
    Case(
        "bad annotation",
        MAKING,
        body=named("x", annotations={"a b": "c"}),
        expected=invalid(
            "ConfigMap",
            "x",
            (
                "FieldValueInvalid",
                "metadata.annotations",
                (
                    "Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' "
                    "or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
                    "'my.name',  or '123-abc', regex used for validation is "
                    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                ),
            ),
        ),
    ),
    Case(
        "owner without uid",
        MAKING,
        body=named("x", ownerReferences=[{"apiVersion": "v1", "kind": "Pod", "name": "a"}]),
        expected=invalid(
            "ConfigMap",
            "x",
            ("FieldValueInvalid", "metadata.ownerReferences.uid", 'Invalid value: "": uid must not be empty'),
        ),
    ),
    Case(
        "two controllers",
        MAKING,
        body=named(
            "x",
            ownerReferences=[
                {"apiVersion": "v1", "kind": "Pod", "name": n, "uid": n, "controller": True} for n in "ab"
            ],
        ),
        difference="metadata-rules",
    ),
    Case(
        "bad finalizer",
        MAKING,
        body=named("x", finalizers=["notqualified"]),
        expected=invalid(
            "ConfigMap",
            "x",
            (
                "FieldValueInvalid",
                "metadata.finalizers[0]",
                (
                    'Invalid value: "notqualified": name is neither a standard finalizer name nor is it '
                    "fully qualified"
                ),
            ),
        ),
    ),
    Case(
        "bad data key",
        MAKING,
        body={"metadata": {"name": "x"}, "data": {"a b": "c"}},
        expected=invalid(
            "ConfigMap",
            "x",
            (
                "FieldValueInvalid",
                "data[a b]",
                (
                    'Invalid value: "a b": a valid config key must consist of alphanumeric characters, '
                    "'-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for "
                    "validation is '[-._a-zA-Z0-9]+')"
                ),
            ),
        ),
    ),
    Case(
        "too much data",
        MAKING,
        body={"metadata": {"name": "x"}, "data": {"a": "x" * 1048577}},
        expected=invalid(
            "ConfigMap", "x", ("FieldValueTooLong", "[]", "Too long: may not be more than 1048576 bytes")
        ),
    ),
    Case(
        "wrong data type",
        MAKING,
        body={"metadata": {"name": "x"}, "data": {"a": 1}},
        expected=refused(
            400,
            "BadRequest",
            (
                'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal '
                "number into Go struct field ConfigMap.data of type string"
            ),
        ),
    ),
    Case(
        "unknown dry run",
        MAKING + "?dryRun=Some",
        body=config_map(),
        expected=invalid(
            "CreateOptions.meta.k8s.io",
            "",
            ("FieldValueNotSupported", "dryRun", 'Unsupported value: DUMP: supported values: "All"'),
        ),
    ),
    Case(
        "unknown field validation",
        MAKING + "?fieldValidation=Sometimes",
        body=config_map(),
        expected=invalid(
            "CreateOptions.meta.k8s.io",
            "",
            (
                "FieldValueNotSupported",
                "fieldValidation",
                'Unsupported value: "Sometimes": supported values: "", "Ignore", "Strict", "Warn"',
            ),
        ),
    ),
    Case(
        "long manager",
        MAKING + "?fieldManager=" + "m" * 129,
        body=config_map(),
        expected=invalid(
            "CreateOptions.meta.k8s.io",
            "",
            ("FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes"),
        ),
    ),
    Case(
        "unknown field strict",
        MAKING + "?fieldValidation=Strict",
        body={**config_map(), "dta": {}},
        expected=refused(
            400,
            "BadRequest",
            (
                'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
                'unknown field "dta"'
            ),
        ),
    ),
    Case(
        "duplicate field strict",
        MAKING + "?fieldValidation=Strict",
        body=b'{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}',
        difference="metadata-rules",
    ),
    Case(
        "unknown field strict deployment",
        MAKING_DEPLOYMENT + "?fieldValidation=Strict",
        body={**deployment(replcas=1), "sepc": {}},
        expected=refused(
            400,
            "BadRequest",
            (
                'Deployment in version "v1" cannot be handled as a Deployment: strict decoding '
                'error: unknown field "spec.replcas", unknown field "sepc"'
            ),
        ),
    ),
    Case("across namespaces", "POST /api/v1/configmaps", body=config_map(), expected=NOT_ALLOWED),
    Case("onto a name", f"POST {MAPS}/cm", body=config_map(), expected=NOT_ALLOWED),
    Case("put a collection", f"PUT {MAPS}", body=config_map(), expected=NOT_ALLOWED),
    Case("patch a collection", f"PATCH {MAPS}", body={}, sent_as=MERGE, expected=NOT_ALLOWED),
    Case(
        "dollar name",
        MAKING,
        body=named("a$b"),
        expected=invalid(
            "ConfigMap",
            "a$b",
            (
                "FieldValueInvalid",
                "metadata.name",
                (
                    'Invalid value: "a$b": a lowercase RFC 1123 subdomain must consist of lower case '
                    "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
                    "character (e.g. 'example.com', regex used for validation is "
                    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                ),
            ),
        ),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_create_answers(server: Server, case: Case) -> None:
    await check(server, case)
