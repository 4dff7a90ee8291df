"""The one AWS factory against moto: who asks where, and what each failure means."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta

import anyio
import orjson
import pytest

from aiops_shared.auth.acting import Acting, carried
from aiops_shared.auth.behalf import Behalf, acting_for
from aiops_shared.auth.callers import CallerIdentity
from aiops_shared.aws import AwsClients, AwsTarget
from aiops_shared.clock import SystemClock
from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    ThrottledError,
    UnauthenticatedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.settings import AwsSettings
from tests.shared.aws.conftest import KEYS
from tests.shared.http.wire_server import Reply, WireServer

WEST, EAST = AwsTarget(region="us-west-2"), AwsTarget(region="eu-west-1")
ROLE = "arn:aws:iam::123456789012:role/aiops"


def aws(timeout_s: float = 20) -> AwsClients:
    return AwsClients(AwsSettings(timeout_s=timeout_s))


@pytest.mark.usefixtures("keys")
async def test_a_second_region_is_never_answered_by_the_first() -> None:
    clients = aws()
    await clients.call(WEST, "sqs", "create_queue", QueueName="only-in-the-west")
    west = await clients.every(WEST, "sqs", "list_queues", "QueueUrls")
    east = await clients.every(EAST, "sqs", "list_queues", "QueueUrls")
    assert len(west.items) == 1
    assert east.items == ()


@pytest.mark.usefixtures("keys")
async def test_a_client_is_kept_per_service_account_role_and_region_and_shared_by_callers() -> None:
    clients = aws()
    targets = [
        WEST,
        EAST,
        AwsTarget(region="us-west-2", role=ROLE),
        AwsTarget(region="us-west-2", account="123456789012"),
    ]
    found = await clients.run("test", lambda: [clients.client("sts", target) for target in targets])
    again = await clients.run("test", lambda: [clients.client("sts", target) for target in targets])
    assert len({id(client) for client in found}) == len(targets)
    assert [id(client) for client in found] == [id(client) for client in again]
    ann = AwsTarget(region="us-west-2", role=ROLE, caller="ann", run="r1")
    assert await clients.run("test", lambda: clients.client("sts", ann)) is found[2]


@pytest.mark.threat("T4")
@pytest.mark.usefixtures("keys")
async def test_callers_who_share_a_client_each_act_in_a_role_session_of_their_own() -> None:
    clients = aws()
    target = AwsTarget("123456789012", "us-west-2", ROLE, caller="server")
    seen: dict[str, set[str]] = {}

    async def ask(name: str, run: str) -> None:
        with carried(Acting(CallerIdentity(name), run)):
            answer = await clients.call(target, "sts", "get_caller_identity")
        seen.setdefault(f"{name}/{run}", set()).add(answer["Arn"].rpartition("/")[2])

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            for name, run in (("ann", ""), ("bea", ""), ("bea", "run_1")):
                tasks.start_soon(ask, name, run)
    assert seen == {"ann/": {"aiops-ann"}, "bea/": {"aiops-bea"}, "bea/run_1": {"aiops-bea+run_1"}}
    own = await clients.call(target, "sts", "get_caller_identity")
    assert own["Arn"].endswith("/aiops-server")


@pytest.mark.usefixtures("keys")
async def test_a_thousand_callers_make_no_thousand_clients() -> None:
    clients = aws()
    target = AwsTarget(region="us-west-2", role=ROLE)
    found = set()
    for number in range(1000):
        with carried(Acting(CallerIdentity(f"caller-{number}"))):
            found.add(id(clients.client("eks", target)))
    assert len(found) == 1


@pytest.mark.usefixtures("keys")
async def test_a_role_session_names_caller_and_run_so_that_cloudtrail_can_tell() -> None:
    target = AwsTarget(
        "123456789012", "us-west-2", ROLE, external_id="ex", caller="ann o'hara\n", run="run/42"
    )
    who = await aws().call(target, "sts", "get_caller_identity")
    assert who["Arn"] == "arn:aws:sts::123456789012:assumed-role/aiops/aiops-ann-o-hara-+run-42"


def test_a_role_session_name_is_never_longer_than_sts_takes_and_keeps_the_run() -> None:
    name = AwsTarget(caller="a" * 100, run="r" * 100).session_name
    assert len(name) == 64
    assert name.endswith("+" + "r" * 32)


@pytest.mark.usefixtures("keys")
async def test_a_list_is_cut_at_the_cap_and_says_so() -> None:
    clients = aws()
    for number in range(3):
        await clients.call(EAST, "logs", "create_log_group", logGroupName=f"group-{number}")
    cut = await clients.every(EAST, "logs", "describe_log_groups", "logGroups", at_most=2)
    whole = await clients.every(EAST, "logs", "describe_log_groups", "logGroups", at_most=3)
    assert (len(cut.items), cut.truncated) == (2, True)
    assert (len(whole.items), whole.truncated) == (3, False)


@pytest.mark.parametrize("region", ["us-west-2.evil.example/#", "US-WEST-2", "../x", "us west 2", "a" * 50])
@pytest.mark.threat("T5")
def test_a_region_that_would_change_the_host_is_refused(region: str) -> None:
    with pytest.raises(InvalidInputError):
        AwsTarget(region=region)


async def test_without_credentials_the_error_says_how_to_give_them() -> None:
    with pytest.raises(NotConfiguredError, match="AWS_PROFILE"):
        await aws().call(WEST, "sts", "get_caller_identity")


async def test_without_credentials_no_role_is_assumed_either() -> None:
    with pytest.raises(NotConfiguredError, match="AWS_PROFILE"):
        await aws().call(AwsTarget(region="us-west-2", role=ROLE), "sts", "get_caller_identity")


async def test_a_profile_that_does_not_exist_is_not_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with pytest.raises(NotConfiguredError, match="no-such-profile"):
        await aws().call(WEST, "sts", "get_caller_identity")


async def test_without_a_region_the_error_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(NotConfiguredError, match="AWS_REGION"):
        await aws().default_region()


@pytest.mark.usefixtures("keys")
async def test_what_aws_does_not_have_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="ResourceNotFoundException"):
        await aws().call(WEST, "eks", "describe_cluster", name="nope")


@pytest.mark.usefixtures("keys")
async def test_a_wrong_parameter_is_invalid_before_any_request() -> None:
    with pytest.raises(InvalidInputError):
        await aws().call(WEST, "eks", "describe_cluster", wrong="x")


ANSWERS: dict[str, tuple[int, type[AiopsError]]] = {
    "ThrottlingException": (400, ThrottledError),
    "AccessDeniedException": (400, AccessDeniedError),
    "ExpiredTokenException": (403, UnauthenticatedError),
    "UnrecognizedClientException": (403, UnauthenticatedError),
    "ValidationException": (400, InvalidInputError),
    "InternalServerError": (500, UpstreamError),
}


@pytest.mark.fault("R6")
@pytest.mark.parametrize("code", ANSWERS)
async def test_each_answer_of_aws_becomes_the_error_that_says_what_to_do(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    http, expected = ANSWERS[code]
    body = orjson.dumps({"__type": code, "message": "said " + "x" * 2000 + "\x1b[2J"})
    async with WireServer(lambda _: Reply(body, http, content_type="application/x-amz-json-1.1")) as server:
        _point_at(server.url, monkeypatch)
        started = time.monotonic()
        with pytest.raises(expected) as caught:
            await aws().call(WEST, "logs", "describe_log_groups")
        assert time.monotonic() - started < 20
    assert type(caught.value) is expected
    assert code in caught.value.reason
    assert len(caught.value.reason) < 320
    assert caught.value.reason.isprintable()
    assert len(server.seen) <= 4


@pytest.mark.fault("R6")
async def test_a_region_that_is_down_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    async with WireServer(lambda _: Reply()) as server:
        url = server.url
    _point_at(url, monkeypatch)
    with pytest.raises(UnreachableError):
        await aws().call(WEST, "eks", "list_clusters")


@pytest.mark.fault("R3")
@pytest.mark.fault("R6")
async def test_a_service_that_never_answers_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> AsyncIterator[bytes]:
        await anyio.sleep(3)
        yield b"{}"

    async with WireServer(lambda _: Reply(pieces=never)) as server:
        _point_at(server.url, monkeypatch)
        started = time.monotonic()
        with pytest.raises(UpstreamTimeoutError, match="AIOPS_AWS_TIMEOUT_S"):
            await aws(timeout_s=0.5).call(WEST, "eks", "list_clusters")
        assert time.monotonic() - started < 20
        tries = len(server.seen)
        await anyio.sleep(2.5)  # longer than the pause before the next try
        assert len(server.seen) == tries  # nothing is sent once nobody waits


async def test_the_user_agent_carries_caller_and_run_without_line_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with WireServer(lambda _: Reply(b'{"clusters": []}')) as server:
        _point_at(server.url, monkeypatch)
        target = AwsTarget(region="us-west-2", caller="ann\r\nX-Evil: 1", run="r1")
        await aws().call(target, "eks", "list_clusters")
    agent = server.seen[0].headers["user-agent"]
    assert agent.endswith("eks-aiops caller/ann--X-Evil--1 run/r1")
    assert "x-evil" not in server.seen[0].headers


async def test_a_run_asks_under_the_name_of_whom_it_is_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    until = SystemClock().safe_now() + timedelta(minutes=1)
    run = Behalf(caller="bea", kind="agent", run_id="run_7", audience="eks", until=until)
    async with WireServer(lambda _: Reply(b'{"clusters": []}')) as server:
        _point_at(server.url, monkeypatch)
        with acting_for(run):
            await aws().call(WEST, "eks", "list_clusters")
    assert server.seen[0].headers["user-agent"].endswith("eks-aiops caller/bea run/run_7")


def _point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
