"""What an eviction may not say."""

import pytest

from tests.cluster.contract.cases import NOT_ALLOWED, Case, check, done, invalid, refused
from tests.cluster.contract.objects import PODS
from tests.cluster.contract.server import Obj, Server

EVICTION = f"{PODS}/p/eviction"


def eviction(**options: object) -> Obj:
    """An Eviction of the pod `p`."""
    sent: Obj = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    return {**sent, "deleteOptions": options} if options else sent


CASES = (
    Case(
        "no pod",
        f"POST {EVICTION}",
        body=eviction(),
        expected=refused(404, "NotFound", 'pods "p" not found', {"name": "p", "kind": "pods"}),
    ),
    Case(
        "another name",
        f"POST {EVICTION}",
        body=eviction() | {"metadata": {"name": "q"}},
        given=("pod",),
        expected=refused(400, "BadRequest", "name in URL does not match name in Eviction object"),
    ),
    Case(
        "another kind",
        f"POST {EVICTION}",
        body={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
        given=("pod",),
        expected=refused(
            400,
            "BadRequest",
            (
                'Pod in version "v1" cannot be handled as a Eviction: converting (v1.Pod) to '
                "(policy.Eviction): unknown conversion"
            ),
        ),
    ),
    Case(
        "unknown dry run",
        f"POST {EVICTION}",
        body=eviction(dryRun=["Some"]),
        given=("pod",),
        expected=invalid(
            "DeleteOptions.meta.k8s.io",
            "",
            ("FieldValueNotSupported", "dryRun", 'Unsupported value: DUMP: supported values: "All"'),
        ),
    ),
    Case(
        "unknown dry run query",
        f"POST {EVICTION}?dryRun=Some",
        body=eviction(),
        given=("pod",),
        expected=invalid(
            "CreateOptions.meta.k8s.io",
            "",
            ("FieldValueNotSupported", "dryRun", 'Unsupported value: DUMP: supported values: "All"'),
        ),
    ),
    Case(
        "wrong uid",
        f"POST {EVICTION}",
        body=eviction(preconditions={"uid": "no"}),
        given=("pod",),
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on Pod "p": the UID in the precondition (no) does not '
                "match the UID in record (UID). The object might have been deleted and then recreated"
            ),
            {"name": "p", "kind": "Pod"},
        ),
    ),
    Case(
        "wrong version",
        f"POST {EVICTION}",
        body=eviction(preconditions={"resourceVersion": "1"}),
        given=("pod",),
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on Pod "p": the ResourceVersion in the precondition '
                "(1) does not match the ResourceVersion in record (RV). The object might have been "
                "modified"
            ),
            {"name": "p", "kind": "Pod"},
        ),
    ),
    Case(
        "negative grace",
        f"POST {EVICTION}",
        body=eviction(gracePeriodSeconds=-1),
        given=("pod",),
        expected=done(201, kind="Status"),
    ),
    Case("get", f"GET {EVICTION}", given=("pod",), expected=NOT_ALLOWED),
    Case("put", f"PUT {EVICTION}", body=eviction(), given=("pod",), expected=NOT_ALLOWED),
    Case(
        "empty body",
        f"POST {EVICTION}",
        given=("pod",),
        expected=refused(
            400,
            "BadRequest",
            (
                "the object provided is unrecognized (must be of type Eviction): couldn't get "
                "version/kind; json parse error: unexpected end of JSON input (<empty>)"
            ),
        ),
    ),
    Case(
        "older version",
        f"POST {EVICTION}",
        body=eviction() | {"apiVersion": "policy/v1beta1"},
        given=("pod",),
        expected=done(201, kind="Status"),
    ),
    Case(
        "unknown group",
        f"POST {EVICTION}",
        body=eviction() | {"apiVersion": "policy/v9"},
        given=("pod",),
        expected=refused(
            400,
            "BadRequest",
            (
                'Eviction in version "v9" cannot be handled as a Eviction: no kind "Eviction" is '
                'registered for version "policy/v9" in scheme "pkg/runtime/scheme.go:110"'
            ),
        ),
    ),
    Case(
        "pod version",
        f"POST {EVICTION}",
        body=eviction() | {"apiVersion": "v1"},
        given=("pod",),
        expected=refused(
            400,
            "BadRequest",
            (
                'Eviction in version "v1" cannot be handled as a Eviction: no kind "Eviction" is '
                'registered for version "v1" in scheme "pkg/runtime/scheme.go:110"'
            ),
        ),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_an_eviction_answers(server: Server, case: Case) -> None:
    await check(server, case)
