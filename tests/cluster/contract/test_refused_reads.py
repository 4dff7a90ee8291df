"""What a list or a watch may not ask."""

import pytest

from tests.cluster.contract.cases import Case, check, done, invalid, refused
from tests.cluster.contract.objects import BATCH, CORE, DEPLOYMENTS, MAPS, PODS
from tests.cluster.contract.server import TABLE, Server

LISTING = f"GET {MAPS}"
TOKEN = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0"  # of version 1, after `a`


CASES = (
    Case(
        "limit no number",
        LISTING + "?limit=ten",
        expected=refused(400, "BadRequest", 'strconv.ParseInt: parsing "ten": invalid syntax'),
    ),
    Case("negative limit", LISTING + "?limit=-1", expected=done(200, kind="ConfigMapList")),
    Case(
        "version no number",
        LISTING + "?resourceVersion=abc",
        expected=refused(
            400,
            "BadRequest",
            (
                'invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: '
                'parsing "abc": invalid syntax'
            ),
        ),
    ),
    Case(
        "negative version",
        LISTING + "?resourceVersion=-1",
        expected=refused(
            400,
            "BadRequest",
            (
                'invalid resource version: resourceVersion: Invalid value: "-1": strconv.ParseUint: '
                'parsing "-1": invalid syntax'
            ),
        ),
    ),
    Case(
        "future version",
        LISTING + "?resourceVersion=999999999",
        expected=refused(
            504,
            "Timeout",
            "Timeout: Too large resource version: 999999999, current: RV",
            {
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            },
            **{"retry-after": "1"},
        ),
    ),
    Case(
        "match without version",
        LISTING + "?resourceVersionMatch=Exact",
        expected=invalid(
            "ListOptions.meta.k8s.io",
            "",
            (
                "FieldValueForbidden",
                "resourceVersionMatch",
                "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
        ),
    ),
    Case(
        "exact zero",
        LISTING + "?resourceVersion=0&resourceVersionMatch=Exact",
        expected=invalid(
            "ListOptions.meta.k8s.io",
            "",
            (
                "FieldValueForbidden",
                "resourceVersionMatch",
                'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
            ),
        ),
    ),
    Case(
        "forged token",
        LISTING + "?limit=1&continue=%25%25",
        expected=refused(
            400,
            "BadRequest",
            ("invalid continue token: continue key is not valid: illegal base64 data at input byte 0"),
        ),
    ),
    Case(
        "forged JSON token",
        LISTING + "?limit=1&continue=AAAA",
        expected=refused(
            400,
            "BadRequest",
            (
                "invalid continue token: continue key is not valid: invalid character '\\x00' looking "
                "for beginning of value"
            ),
        ),
    ),
    Case(
        "token of no version",
        LISTING + "?limit=1&continue=eyJ2IjoidjIiLCJydiI6MSwic3RhcnQiOiJhIn0",
        expected=refused(
            400,
            "BadRequest",
            (
                "invalid continue token: continue key is not valid: server does not recognize this "
                "encoded version v2"
            ),
        ),
    ),
    Case(
        "token of version zero",
        LISTING + "?limit=1&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0",
        expected=refused(
            400,
            "BadRequest",
            (
                "invalid continue token: continue key is not valid: incorrect encoded start "
                "resourceVersion (version meta.k8s.io/v1)"
            ),
        ),
    ),
    Case(
        "token and match",
        LISTING + "?limit=1&resourceVersionMatch=Exact&continue={TOKEN}",
        expected=invalid(
            "ListOptions.meta.k8s.io",
            "",
            (
                "FieldValueForbidden",
                "resourceVersionMatch",
                "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (
                "FieldValueForbidden",
                "resourceVersionMatch",
                "Forbidden: resourceVersionMatch is forbidden when continue is provided",
            ),
        ),
    ),
    Case(
        "field of no kind",
        LISTING + "?fieldSelector=data.a=b",
        expected=refused(
            400,
            "BadRequest",
            '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ),
    Case(
        "field of a pod",
        f"GET {PODS}?fieldSelector=spec.image=b",
        expected=refused(400, "BadRequest", "field label not supported: spec.image"),
    ),
    Case(
        "field of a deployment",
        f"GET {DEPLOYMENTS}?fieldSelector=spec.replicas=2",
        expected=refused(
            400,
            "BadRequest",
            ('"spec.replicas" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ),
    ),
    Case(
        "field of an event",
        f"GET {CORE}/events?fieldSelector=message=x",
        expected=refused(400, "BadRequest", "field label not supported: message"),
    ),
    Case(
        "field of a node",
        "GET /api/v1/nodes?fieldSelector=status.phase=x",
        expected=refused(400, "BadRequest", "field label not supported: status.phase"),
    ),
    Case(
        "field of a job",
        f"GET {BATCH}/jobs?fieldSelector=status.failed=1",
        expected=refused(400, "BadRequest", 'field label "status.failed" not supported for Job'),
    ),
    Case(
        "field of a secret",
        f"GET {CORE}/secrets?fieldSelector=data.a=1",
        expected=refused(400, "BadRequest", "field label not supported: data.a"),
    ),
    Case(
        "no field selector",
        LISTING + "?fieldSelector=nonsense",
        expected=refused(400, "BadRequest", "invalid selector: 'nonsense'; can't understand 'nonsense'"),
    ),
    Case(
        "field twice equal",
        LISTING + "?fieldSelector=metadata.name==a==b",
        expected=refused(400, "BadRequest", "invalid field selector: unescaped character in value: 61"),
    ),
    Case(
        "label twice equal",
        LISTING + "?labelSelector=a==b==c",
        expected=refused(400, "BadRequest", "found '==', expected: ',' or 'end of string'"),
    ),
    Case(
        "label no value",
        LISTING + "?labelSelector=a%20in",
        expected=refused(400, "BadRequest", "unable to parse requirement: found '' expected: '('"),
    ),
    Case(
        "label open set",
        LISTING + "?labelSelector=a%20in%20(b",
        expected=refused(400, "BadRequest", "unable to parse requirement: found '', expected: ',' or ')'"),
    ),
    Case("label empty set", LISTING + "?labelSelector=a%20in%20()", expected=done(200, kind="ConfigMapList")),
    Case(
        "label bad key",
        LISTING + "?labelSelector=-a=b",
        expected=refused(
            400,
            "BadRequest",
            (
                'unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of '
                "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
                "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ),
        ),
    ),
    Case(
        "label bad value",
        LISTING + "?labelSelector=a=-b",
        expected=refused(
            400,
            "BadRequest",
            (
                'unable to parse requirement: values[0][a]: Invalid value: "-b": a valid label must '
                "be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
                "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
                "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            ),
        ),
    ),
    Case(
        "label long value",
        LISTING + "?labelSelector=a=" + "b" * 64,
        expected=refused(
            400,
            "BadRequest",
            (
                "unable to parse requirement: values[0][a]: Invalid value: "
                '"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb": must be no more '
                "than 63 characters"
            ),
        ),
    ),
    Case(
        "label comma",
        LISTING + "?labelSelector=a,,b",
        expected=refused(400, "BadRequest", "found ',', expected: identifier after ','"),
    ),
    Case(
        "label greater",
        LISTING + "?labelSelector=a>b",
        expected=refused(
            400,
            "BadRequest",
            (
                "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' "
                "operators, the value must be an integer"
            ),
        ),
    ),
    Case(
        "label bang",
        LISTING + "?labelSelector=!",
        expected=refused(400, "BadRequest", "unable to parse requirement: found '', expected: identifier"),
    ),
    Case(
        "watch bad version",
        LISTING + "?watch=1&resourceVersion=abc",
        expected=refused(
            500,
            None,
            ('resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax'),
        ),
    ),
    Case(
        "watch initial without match",
        LISTING + "?watch=1&sendInitialEvents=true",
        expected=invalid(
            "ListOptions.meta.k8s.io",
            "",
            (
                "FieldValueForbidden",
                "resourceVersionMatch",
                "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (
                "FieldValueForbidden",
                "sendInitialEvents",
                (
                    "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature "
                    "gate is enabled"
                ),
            ),
        ),
    ),
    Case(
        "watch initial without bookmarks",
        LISTING + "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        expected=invalid(
            "ListOptions.meta.k8s.io",
            "",
            (
                "FieldValueForbidden",
                "sendInitialEvents",
                (
                    "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature "
                    "gate is enabled"
                ),
            ),
        ),
    ),
    Case(
        "watch initial exact",
        LISTING + "?watch=1&sendInitialEvents=true&resourceVersionMatch=Exact&allowWatchBookmarks=true",
        expected=invalid(
            "ListOptions.meta.k8s.io",
            "",
            (
                "FieldValueForbidden",
                "resourceVersionMatch",
                "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (
                "FieldValueForbidden",
                "sendInitialEvents",
                (
                    "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature "
                    "gate is enabled"
                ),
            ),
            (
                "FieldValueNotSupported",
                "resourceVersionMatch",
                'Unsupported value: "Exact": supported values: "NotOlderThan"',
            ),
        ),
    ),
    Case(
        "watch match",
        LISTING + "?watch=1&resourceVersionMatch=NotOlderThan",
        expected=invalid(
            "ListOptions.meta.k8s.io",
            "",
            (
                "FieldValueForbidden",
                "resourceVersionMatch",
                (
                    "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is "
                    "provided"
                ),
            ),
        ),
    ),
    Case(
        "list initial",
        LISTING + "?sendInitialEvents=true",
        expected=invalid(
            "ListOptions.meta.k8s.io",
            "",
            (
                "FieldValueForbidden",
                "sendInitialEvents",
                "Forbidden: sendInitialEvents is forbidden for list",
            ),
        ),
    ),
    Case(
        "watch bad selector",
        LISTING + "?watch=1&labelSelector=a==b==c",
        expected=refused(400, "BadRequest", "found '==', expected: ',' or 'end of string'"),
    ),
    Case(
        "watch timeout no number",
        LISTING + "?watch=1&timeoutSeconds=soon",
        expected=refused(400, "BadRequest", 'strconv.ParseInt: parsing "soon": invalid syntax'),
    ),
    Case("include object", LISTING + "?includeObject=Some", accept=TABLE, difference="include-object"),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_read_answers(server: Server, case: Case) -> None:
    await check(server, case)
