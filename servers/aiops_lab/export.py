"""What a client needs to use the lab: environment variables, and the kubeconfig they point to."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from aiops_lab.aws.account import REGION
from aiops_lab.aws.amp import AMP_WORKSPACE
from aiops_lab.aws.principals import AccessKey


def aws_environment(key: AccessKey, endpoint: str) -> dict[str, str]:
    """Variables every AWS SDK and CLI reads; an empty token is set too, or a real one would leak in."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_SESSION_TOKEN": key.session_token or "",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def telemetry_environment(url: str) -> dict[str, str]:
    """Where the lab's telemetry backends are; traces come from X-Ray unless a client is told otherwise."""
    return {
        "AIOPS_METRICS_PROMETHEUS_URL": f"{url}/prometheus",
        "AIOPS_METRICS_AMP_WORKSPACE": AMP_WORKSPACE,
        "AIOPS_LOGS_OPENSEARCH_URL": f"{url}/opensearch",
        "AIOPS_ALERTS_ALERTMANAGER_URL": f"{url}/alertmanager",
        "AIOPS_TRACES_SOURCE": "xray",
        "AIOPS_TRACES_JAEGER_URL": f"{url}/jaeger",
        "AIOPS_TRACES_TEMPO_URL": f"{url}/tempo",
    }


@dataclass(frozen=True, slots=True)
class Door:
    """One cluster's API as one identity enters it."""

    context: str
    server: str
    ca_base64: str
    user: str
    token: str = field(repr=False)


def kubeconfig(*doors: Door) -> str:
    """A kubeconfig of one context a door; the first is the current one."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": doors[0].context,
            "clusters": [
                {
                    "name": one.context,
                    "cluster": {"server": one.server, "certificate-authority-data": one.ca_base64},
                }
                for one in doors
            ],
            "users": [{"name": _user(one, doors), "user": {"token": one.token}} for one in doors],
            "contexts": [
                {"name": one.context, "context": {"cluster": one.context, "user": _user(one, doors)}}
                for one in doors
            ],
        },
        sort_keys=False,
    )


def _user(door: Door, doors: tuple[Door, ...]) -> str:
    """Tokens differ by cluster, so users do too where there are several."""
    return door.user if len(doors) == 1 else f"{door.user}@{door.context}"


def shell_lines(environment: Mapping[str, str]) -> str:
    """`export K='v'` lines for a POSIX shell."""
    return "".join(f"export {name}={_quoted(value)}\n" for name, value in environment.items())


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{value}'"


def write_private(path: Path, text: str) -> None:
    """Write a file for this user only, whole or not at all. Raises OSError."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
