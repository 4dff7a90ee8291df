"""What may not be asked of a log."""

import pytest

from tests.cluster.contract.cases import NOT_ALLOWED, Case, check, invalid, plain, refused
from tests.cluster.contract.objects import PODS
from tests.cluster.contract.server import Server

CASES = (
    Case(
        "log of nothing",
        f"GET {PODS}/ghost/log",
        expected=refused(404, "NotFound", 'pods "ghost" not found', {"name": "ghost", "kind": "pods"}),
    ),
    Case("log unplaced", f"GET {PODS}/p/log", given=("pod",), expected=plain(204, "")),
    Case(
        "log unknown container",
        f"GET {PODS}/p/log?container=x",
        given=("pod",),
        expected=refused(400, "BadRequest", "container x is not valid for pod p"),
    ),
    Case(
        "log two containers",
        f"GET {PODS}/two/log",
        given=("two containers",),
        expected=refused(
            400, "BadRequest", "a container name must be specified for pod two, choose one of: [app side]"
        ),
    ),
    Case(
        "log init",
        f"GET {PODS}/init/log",
        given=("init container",),
        expected=refused(
            400,
            "BadRequest",
            "a container name must be specified for pod init, choose one of: [first app side]",
        ),
    ),
    Case(
        "log tail negative",
        f"GET {PODS}/p/log?tailLines=-1",
        given=("pod",),
        expected=invalid(
            "PodLogOptions",
            "p",
            ("FieldValueInvalid", "tailLines", "Invalid value: -1: must be greater than or equal to 0"),
        ),
    ),
    Case(
        "log tail no number",
        f"GET {PODS}/p/log?tailLines=x",
        given=("pod",),
        expected=refused(400, "BadRequest", 'strconv.ParseInt: parsing "x": invalid syntax'),
    ),
    Case(
        "log limit zero",
        f"GET {PODS}/p/log?limitBytes=0",
        given=("pod",),
        expected=invalid(
            "PodLogOptions",
            "p",
            ("FieldValueInvalid", "limitBytes", "Invalid value: 0: must be greater than 0"),
        ),
    ),
    Case(
        "log since zero",
        f"GET {PODS}/p/log?sinceSeconds=0",
        given=("pod",),
        expected=invalid(
            "PodLogOptions",
            "p",
            ("FieldValueInvalid", "sinceSeconds", "Invalid value: 0: must be greater than 0"),
        ),
    ),
    Case(
        "log both since",
        f"GET {PODS}/p/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z",
        given=("pod",),
        expected=invalid(
            "PodLogOptions",
            "p",
            (
                "FieldValueForbidden",
                "[]",
                "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
            ),
        ),
    ),
    Case(
        "log since time",
        f"GET {PODS}/p/log?sinceTime=yesterday",
        given=("pod",),
        expected=refused(
            400, "BadRequest", 'parsing time "yesterday" as "TIME07:00": cannot parse "yesterday" as "2006"'
        ),
    ),
    Case(
        "log stream",
        f"GET {PODS}/p/log?stream=Nowhere",
        given=("pod",),
        expected=invalid(
            "PodLogOptions", "p", ("FieldValueForbidden", "stream", "Forbidden: may not be specified")
        ),
    ),
    Case("log post", f"POST {PODS}/p/log", body={}, given=("pod",), expected=NOT_ALLOWED),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_log_answers(server: Server, case: Case) -> None:
    await check(server, case)
