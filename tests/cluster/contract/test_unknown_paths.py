"""Paths, methods and forms that name nothing."""

import pytest

from tests.cluster.contract.cases import NO_SUCH_PATH, NOT_ALLOWED, Case, check, invalid, plain, refused
from tests.cluster.contract.objects import CORE, DEPLOYMENTS, MAPS, PODS
from tests.cluster.contract.server import Server

LISTING = f"GET {MAPS}"


CASES = (
    Case(
        "missing",
        f"GET {MAPS}/ghost",
        expected=refused(
            404, "NotFound", 'configmaps "ghost" not found', {"name": "ghost", "kind": "configmaps"}
        ),
    ),
    Case(
        "missing deployment",
        f"GET {DEPLOYMENTS}/ghost",
        expected=refused(
            404,
            "NotFound",
            'deployments.apps "ghost" not found',
            {"name": "ghost", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "missing custom",
        "GET /apis/nobody.example.com/v1/nodepools/ghost",
        expected=plain(404, "404 page not found\n"),
    ),
    Case("unknown group", "GET /apis/nope", expected=plain(404, "404 page not found\n")),
    Case("unknown version", "GET /apis/apps/v9", expected=NO_SUCH_PATH),
    Case("unknown version of a list", "GET /apis/apps/v9/deployments", expected=NO_SUCH_PATH),
    Case("unknown resource", "GET /api/v1/nopes", expected=NO_SUCH_PATH),
    Case("unknown path", "GET /nope", expected=plain(404, "404 page not found\n")),
    Case("unknown core version", "GET /api/v2", expected=NO_SUCH_PATH),
    Case("unknown subresource", f"GET {PODS}/p/nope", given=("pod",), expected=NO_SUCH_PATH),
    Case("subresource of what has none", f"GET {MAPS}/cm/scale", given=("map",), expected=NO_SUCH_PATH),
    Case("cluster kind in a namespace", f"GET {CORE}/nodes", expected=NO_SUCH_PATH),
    Case("namespaced kind by name across", "GET /api/v1/configmaps/cm", expected=NO_SUCH_PATH),
    Case(
        "unknown match",
        LISTING + "?resourceVersion=1&resourceVersionMatch=Nearly",
        expected=invalid(
            "ListOptions.meta.k8s.io",
            "",
            (
                "FieldValueNotSupported",
                "resourceVersionMatch",
                'Unsupported value: "Nearly": supported values: "Exact", "NotOlderThan", ""',
            ),
        ),
    ),
    Case(
        "not acceptable",
        LISTING,
        accept="text/html",
        expected=refused(
            406,
            "NotAcceptable",
            (
                "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
                "application/vnd.kubernetes.protobuf, application/json;stream=watch, "
                "application/vnd.kubernetes.protobuf;stream=watch"
            ),
            {},
        ),
    ),
    Case(
        "not acceptable one",
        f"GET {MAPS}/cm",
        given=("map",),
        accept="image/png",
        expected=refused(
            406,
            "NotAcceptable",
            (
                "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
                "application/vnd.kubernetes.protobuf"
            ),
            {},
        ),
    ),
    Case(
        "unknown transform",
        LISTING,
        accept="application/json;as=Nonsense;v=v1;g=meta.k8s.io",
        expected=refused(
            406,
            "NotAcceptable",
            (
                "only the following media types are accepted: application/json, application/yaml, "
                "application/vnd.kubernetes.protobuf"
            ),
        ),
    ),
    Case(
        "unknown table version",
        LISTING,
        accept="application/json;as=Table;v=v9;g=meta.k8s.io",
        expected=refused(
            406,
            "NotAcceptable",
            (
                "only the following media types are accepted: application/json, application/yaml, "
                "application/vnd.kubernetes.protobuf"
            ),
        ),
    ),
    Case("delete method on api", "DELETE /api", expected=NOT_ALLOWED),
    Case("post to version", "POST /version", body={}, expected=NOT_ALLOWED),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_what_is_not_there_answers(server: Server, case: Case) -> None:
    await check(server, case)
