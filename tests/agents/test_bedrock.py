"""Bedrock: the Lambda function answers real events exactly (F16b); every file is in the API's own words."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import botocore.session
import pytest
from botocore.validate import ParamValidator
from moto import mock_aws
from openapi_spec_validator import OpenAPIV30SpecValidator

from eks_aiops.gateway import make
from eks_aiops.openapi import MOST_OPERATIONS
from tests.e2e.stage import lab_environment
from tests.lab_fixture import running_lab
from tests.remote.issuer import Served, issuer, remote_settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
Obj = dict[str, Any]


@pytest.fixture(scope="module")
def function() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lambda_handler", DEPLOY / "agentcore" / "handler.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def event(path: str, parameters: Any = (), body: Any = (), group: str = "read") -> Obj:
    """A real event's shape."""
    made: Obj = {
        "messageVersion": "1.0",
        "agent": {"name": "eks-incident-responder", "id": "A", "alias": "B", "version": "1"},
        "inputText": "why does it crash?",
        "sessionId": "s",
        "actionGroup": group,
        "apiPath": path,
        "httpMethod": "POST",
        "parameters": parameters,
        "sessionAttributes": {},
        "promptSessionAttributes": {},
    }
    if body:
        made["requestBody"] = {"content": {"application/json": {"properties": body}}}
    return made


def named(**values: str) -> list[Obj]:
    return [{"name": name, "type": "string", "value": value} for name, value in values.items()]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.row("S29")
@pytest.mark.row("C2")
async def test_events_become_tool_calls_and_exact_envelopes(
    function: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running_lab("pod-crashloop", 0) as lab:
        lab_environment(lab, monkeypatch)
        for name, value in (("STATE_DIR", tmp_path), ("SENSITIVE_READS", "true"), ("WRITE", "true")):
            monkeypatch.setenv(f"AIOPS_{name}", str(value))
        monkeypatch.setenv("AIOPS_TIME_SOURCE", f"{lab.url}/time")
        pods = [one["metadata"]["name"] for one in lab.store.list("Pod", "production")]

        async def sent(made: Obj) -> tuple[int, Obj]:
            answer: Obj = await anyio.to_thread.run_sync(function.handler, made, None)
            text = answer["response"]["responseBody"]["application/json"]["body"]
            status = answer["response"]["httpStatusCode"]
            assert answer == {
                "messageVersion": "1.0",
                "response": {
                    "actionGroup": made["actionGroup"],
                    "apiPath": made["apiPath"],
                    "httpMethod": "POST",
                    "httpStatusCode": status,
                    "responseBody": {"application/json": {"body": text}},
                },
            }
            return status, json.loads(text)

        status, logs = await sent(event("/getPodLogs", named(namespace="production", pod=pods[0])))
        assert status == 200, logs
        assert 0 <= len(logs["lines"]["rows"]) <= 100
        tail = [{"name": "tail", "type": "integer", "value": "1"}]
        status, logs = await sent(
            event("/get_pod_logs", {"namespace": "production"}, [*named(pod=pods[0]), *tail])
        )
        assert (status, len(logs["lines"]["rows"]) <= 1) == (200, True), logs
        status, gone = await sent(event("/get_pod_logs", named(namespace="production", pod="nobody-0")))
        assert (status, gone["error"][0]) == (404, "["), gone
        monkeypatch.setenv("AIOPS_WRITE", "false")
        confirm = named(plan_id="plan_0", confirm="yes")
        status, denied = await sent(event("/execute_plan", confirm, group="write"))
        assert (status, "[read_only]" in denied["error"]) == (403, True), denied


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.row("S29")
def test_over_http_the_function_shows_the_token_of_its_secret(
    function: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with issuer() as idp, mock_aws():
        settings = remote_settings(idp, tmp_path)
        token = idp.token(sub="bedrock", scope="aiops:read")
        secrets: Any = botocore.session.get_session().create_client("secretsmanager", "us-east-1")
        arn = secrets.create_secret(Name="aiops", SecretString=json.dumps({"token": token}))["ARN"]
        with Served(make(settings), settings) as place:
            monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            monkeypatch.setenv("AIOPS_MCP_URL", place.url)
            monkeypatch.setenv("AIOPS_MCP_SECRET_ARN", arn)
            (group,) = [name for name, tools in function.groups().items() if "find_sops" in tools]
            found = function.handler(event("/findSops", named(query="pod crash loop"), group=group), None)
            assert found["response"]["httpStatusCode"] == 200, found
            beyond = event("/execute_plan", named(plan_id="plan_0", confirm="yes"), group="write")
            assert function.handler(beyond, None)["response"]["httpStatusCode"] == 403


@pytest.mark.row("S29")
def test_what_is_not_of_the_group_or_no_value_never_reaches_a_tool(function: ModuleType) -> None:
    for made in (event("/nothing"), event("/execute_plan"), event("/get_pod_logs", group="nobody"), {}):
        assert function.handler(made, None)["response"]["httpStatusCode"] == 404
    wrong = event("/get_pod_logs", [{"name": "tail", "type": "integer", "value": "many"}])
    assert function.handler(wrong, None)["response"]["httpStatusCode"] == 400
    codes = {"[refused] x: rule r": 403, "[pod_not_found] x": 404, "[throttled] x": 429, "no code": 500}
    assert {text: function.status_of(text) for text in codes} == codes


@pytest.mark.row("S29")
def test_an_answer_that_is_too_long_is_shortened_and_says_so(function: ModuleType) -> None:
    made = event("/get_pod_logs")
    rows = [[number, "ä" * 90] for number in range(2_000)]
    answer = function.envelope(made, 200, {"summary": "s", "lines": {"columns": ["n", "text"], "rows": rows}})
    body = json.loads(answer["response"]["responseBody"]["application/json"]["body"])
    assert len(json.dumps(answer).encode()) <= 25_000
    assert (body["summary"], body["truncated"], "25 KB" in body["note"]) == ("s", True, True)
    assert body["lines"]["rows"] == rows[: len(body["lines"]["rows"])] != []
    long = function.envelope(made, 200, {"summary": "s" * 40_000})
    assert len(json.dumps(long).encode()) <= 25_000


@pytest.mark.row("S28")
def test_every_group_is_valid_openapi_small_enough_and_known_to_the_function() -> None:
    groups = json.loads((DEPLOY / "agentcore" / "groups.json").read_text("utf-8"))
    found = {path.stem: path for path in (DEPLOY / "bedrock" / "openapi").glob("*.json")}
    assert set(found) == set(groups)
    for name, path in found.items():
        document = json.loads(path.read_text("utf-8"))
        OpenAPIV30SpecValidator(document).validate()
        assert len(document["paths"]) <= MOST_OPERATIONS
        assert {f"/{one}" for one in groups[name]} == set(document["paths"])


@pytest.mark.parametrize(
    ("file", "operation"),
    [
        ("runtime", "CreateAgentRuntime"),
        ("gateway", "CreateGateway"),
        ("gateway-target", "CreateGatewayTarget"),
    ],
)
def test_agentcore_files_are_inputs_of_the_api(file: str, operation: str) -> None:
    given = json.loads((DEPLOY / "agentcore" / f"{file}.json").read_text("utf-8"))
    service = botocore.session.get_session().get_service_model("bedrock-agentcore-control")
    shape: Any = service.operation_model(operation).input_shape
    report = ParamValidator().validate(given, shape)
    assert not report.has_errors(), report.generate_report()
    assert [*_wrong(given, shape, file)] == []


def _wrong(value: Any, shape: Any, where: str) -> Any:
    """Texts that are none of an enumeration's or do not match a pattern; botocore itself does not look."""
    if shape.type_name == "structure":
        for name, item in value.items():
            yield from _wrong(item, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        for item in value:
            yield from _wrong(item, shape.member, where)
    elif shape.type_name == "string":
        pattern = shape.metadata.get("pattern")
        known = not shape.enum or value in shape.enum
        if not known or (pattern and not re.fullmatch(pattern, value)):
            yield where


def test_the_agent_s_template_passes_cfn_lint() -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [lint, DEPLOY / "bedrock" / "agent.yaml"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
