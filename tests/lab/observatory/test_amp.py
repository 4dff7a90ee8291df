"""Amazon Managed Prometheus of the lab: workspaces in AWS, and a data plane for signed requests only."""

from typing import Any

import anyio
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.session import Session

from aiops_lab.aws.amp import AMP_WORKSPACE, AmpState, Workspace
from aiops_lab.run import Lab
from aiops_lab.telemetry.rules import MetricRule
from tests.lab.observatory.conftest import Room

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = "api/v1/query?query=count%28kube_node_info%29"


def amp(lab: Lab) -> Any:
    key = lab.directory.standing("lab-admin")
    return Session().create_client(
        "amp",
        endpoint_url=lab.aws_url,
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        aws_session_token=key.session_token,
    )


async def ask(lab: Lab, operation: str, **params: Any) -> Any:
    return await anyio.to_thread.run_sync(lambda: getattr(amp(lab), operation)(**params))


async def endpoint(lab: Lab) -> str:
    found = (await ask(lab, "describe_workspace", workspaceId=AMP_WORKSPACE))["workspace"]
    assert found["status"] == {"statusCode": "ACTIVE"}
    return str(found["prometheusEndpoint"])


def signed(lab: Lab, method: str, url: str, body: bytes = b"", *, who: str = "lab-admin", **how: Any) -> Any:
    key = lab.directory.standing(who)
    secret = str(how.get("secret", key.secret_access_key))
    kept = {"content-type": "application/x-www-form-urlencoded"} if body else {}
    request = AWSRequest(method=method, url=url, data=body, headers=kept)
    service = str(how.get("service", "aps"))
    credentials = Credentials(key.access_key_id, secret, key.session_token)
    SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    return dict(request.headers)


async def send(lab: Lab, path: str, body: bytes = b"", **how: Any) -> httpx.Response:
    url, method = f"{await endpoint(lab)}{path}", "POST" if body else "GET"
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, url, content=body, headers=signed(lab, method, url, body, **how))


@pytest.mark.row("S18")
async def test_an_unsigned_request_is_refused(room: Room) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{await endpoint(room.lab)}{QUERY}")
    assert answer.status_code == 403
    assert answer.json() == {"message": "Missing Authentication Token"}
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


async def test_a_signed_request_is_answered_from_the_same_samples(room: Room) -> None:
    found = (await send(room.lab, QUERY)).json()["data"]["result"]
    posted = (await send(room.lab, "api/v1/query", b"query=count(kube_node_info)")).json()["data"]["result"]
    assert [one["value"][1] for one in (*found, *posted)] == ["6", "6"]
    assert len((await send(room.lab, "api/v1/series?match%5B%5D=kube_node_info")).json()["data"]) == 6
    assert (
        len((await send(room.lab, "api/v1/label/node/values?match%5B%5D=kube_node_info")).json()["data"]) == 6
    )


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"service": "es"}, "InvalidSignatureException"),
        ({"who": "aiops-reader"}, "AccessDeniedException"),
    ],
)
async def test_who_may_not_is_told_so(room: Room, how: dict[str, Any], code: str) -> None:
    answer = await send(room.lab, QUERY, **how)
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, code)


async def test_what_amp_does_not_serve_is_unknown(room: Room) -> None:
    assert (await send(room.lab, "api/v1/status/tsdb")).status_code == 404
    assert (await send(room.lab, "api/v1/targets")).status_code == 404


async def test_workspaces_are_listed_in_pages_and_by_alias(fresh: Room) -> None:
    state = fresh.lab.account.area(AmpState)
    other = Workspace("ws-99999999-2222-4333-8444-555555555555", "sandbox", "DELETING")
    state.workspaces[other.workspace_id] = other
    first = await ask(fresh.lab, "list_workspaces", maxResults=1)
    rest = await ask(fresh.lab, "list_workspaces", maxResults=1, nextToken=first["nextToken"])
    assert [one["alias"] for one in (*first["workspaces"], *rest["workspaces"])] == [
        "platform-metrics",
        "sandbox",
    ]
    assert len((await ask(fresh.lab, "list_workspaces", alias="sand"))["workspaces"]) == 1
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        await ask(fresh.lab, "describe_workspace", workspaceId="ws-none")


async def test_rules_stand_in_namespaces(fresh: Room) -> None:
    told = fresh.lab.observatory.telemetry.rules
    told.rules.append(MetricRule("NodesGone", "count(kube_node_info) < 3", group="nodes", for_s=60))
    listed = await ask(fresh.lab, "list_rule_groups_namespaces", workspaceId=AMP_WORKSPACE)
    assert [one["name"] for one in listed["ruleGroupsNamespaces"]] == ["nodes"]
    one = await ask(fresh.lab, "describe_rule_groups_namespace", workspaceId=AMP_WORKSPACE, name="nodes")
    assert b"alert: NodesGone" in one["ruleGroupsNamespace"]["data"]
    kept = await ask(fresh.lab, "describe_workspace_configuration", workspaceId=AMP_WORKSPACE)
    assert kept["workspaceConfiguration"]["retentionPeriodInDays"] == 150
    assert (await ask(fresh.lab, "list_anomaly_detectors", workspaceId=AMP_WORKSPACE))[
        "anomalyDetectors"
    ] == []
    assert (await send(fresh.lab, "api/v1/rules")).json()["data"]["groups"][0]["name"] == "nodes"
