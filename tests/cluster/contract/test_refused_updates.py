"""What an update may not say."""

import pytest

from tests.cluster.contract.cases import NO_SUCH_PATH, Case, check, invalid, refused
from tests.cluster.contract.objects import MAPS, config_map
from tests.cluster.contract.server import Obj, Server


def named(name: str, **meta: object) -> Obj:
    """A ConfigMap with nothing but metadata."""
    return {"metadata": {"name": name, **meta}}


CASES = (
    Case(
        "missing",
        f"PUT {MAPS}/ghost",
        body=config_map("ghost"),
        expected=refused(
            404, "NotFound", 'configmaps "ghost" not found', {"name": "ghost", "kind": "configmaps"}
        ),
    ),
    Case(
        "missing with a version",
        f"PUT {MAPS}/ghost",
        body={"metadata": {"name": "ghost", "resourceVersion": "1"}},
        expected=refused(
            404, "NotFound", 'configmaps "ghost" not found', {"name": "ghost", "kind": "configmaps"}
        ),
    ),
    Case(
        "another name",
        f"PUT {MAPS}/cm",
        body=config_map("other"),
        given=("map",),
        expected=refused(
            400, "BadRequest", "the name of the object (other) does not match the name on the URL (cm)"
        ),
    ),
    Case(
        "no name",
        f"PUT {MAPS}/cm",
        body={"data": {}},
        given=("map",),
        expected=refused(
            400,
            "BadRequest",
            "the name of the object (cm based on URL) was undeterminable: name must be provided",
        ),
    ),
    Case(
        "another namespace",
        f"PUT {MAPS}/cm",
        body=named("cm", namespace="other"),
        given=("map",),
        expected=refused(
            400,
            "BadRequest",
            ("the namespace of the provided object does not match the namespace sent on the request"),
        ),
    ),
    Case(
        "stale",
        f"PUT {MAPS}/cm",
        body=named("cm", resourceVersion="1"),
        given=("map",),
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on configmaps "cm": the object has been modified; '
                "please apply your changes to the latest version and try again"
            ),
            {"name": "cm", "kind": "configmaps"},
        ),
    ),
    Case(
        "version no number",
        f"PUT {MAPS}/cm",
        body=named("cm", resourceVersion="abc"),
        given=("map",),
        expected=refused(500, None, 'strconv.ParseUint: parsing "abc": invalid syntax'),
    ),
    Case(
        "another uid",
        f"PUT {MAPS}/cm",
        body=named("cm", uid="no"),
        given=("map",),
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on configmaps "cm": StorageError: invalid object, '
                "Code: 4, Key: /registry/configmaps/{ns}/cm, ResourceVersion: 0, AdditionalErrorMsg: "
                "Precondition failed: UID in precondition: no, UID in object meta: UID"
            ),
            {"name": "cm", "kind": "configmaps"},
        ),
    ),
    Case(
        "wrong kind",
        f"PUT {MAPS}/cm",
        body={"kind": "Secret", "apiVersion": "v1", **named("cm")},
        given=("map",),
        expected=refused(
            400,
            "BadRequest",
            (
                'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to '
                "(core.ConfigMap): unknown conversion"
            ),
        ),
    ),
    Case(
        "unknown dry run",
        f"PUT {MAPS}/cm?dryRun=Some",
        body=config_map(),
        given=("map",),
        expected=invalid(
            "UpdateOptions.meta.k8s.io",
            "",
            ("FieldValueNotSupported", "dryRun", 'Unsupported value: DUMP: supported values: "All"'),
        ),
    ),
    Case(
        "cut",
        f"PUT {MAPS}/cm",
        body=b"{",
        given=("map",),
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
        "status of what has none",
        f"PUT {MAPS}/cm/status",
        body=config_map(),
        given=("map",),
        expected=NO_SUCH_PATH,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_an_update_answers(server: Server, case: Case) -> None:
    await check(server, case)
