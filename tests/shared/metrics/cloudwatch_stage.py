"""CloudWatch of the lab without the rest of it, and the driver on it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from aiops_lab.aws.account import Account
from aiops_lab.aws.faults import AwsFault
from aiops_lab.aws.overlay import Overlay
from aiops_lab.aws.principals import Directory
from aiops_lab.aws.server import AwsServer
from aiops_lab.aws.services import operations
from aiops_lab.serving import listen, port_of
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.signals import Signal
from aiops_shared.aws import AwsClients, EksCluster
from aiops_shared.aws.target import AwsTarget
from aiops_shared.metrics.cloudwatch import CloudWatchMetrics
from aiops_shared.metrics.series import Window
from aiops_shared.settings import AwsSettings
from tests.fakes.clocks import FakeClock
from tests.lab.aws.conftest import T0

T0_S = T0.timestamp()
REGION = "us-east-1"


@dataclass
class CloudWatchStage:
    """What a test touches."""

    account: Account
    overlay: Overlay
    driver: CloudWatchMetrics

    @property
    def telemetry(self) -> Telemetry:
        """What the world emits."""
        return self.account.area(Telemetry)

    def emit(self, metric: str, values: Any, **labels: str) -> None:
        """A metric of CloudWatch's own, `Namespace/Name`."""
        self.telemetry.cloud.add(Signal(metric, labels, values))

    def fail(self, operation: str, **how: Any) -> None:
        """Let an operation misbehave."""
        self.overlay.faults.add(AwsFault("cloudwatch", operation, **how))

    def calls(self, operation: str) -> int:
        """How often an operation was asked."""
        return sum(1 for one in self.overlay.requests if one.operation == operation)


def window(hours: float = 1.0, step_s: int = 60, *, ago_days: float = 0.0) -> Window:
    """A window that ends now, or so many days ago."""
    until = T0 - timedelta(days=ago_days)
    return Window.over(until - timedelta(hours=hours), until, step_s)


@asynccontextmanager
async def staged(
    monkeypatch: pytest.MonkeyPatch, *, timeout_s: float = 10.0, max_samples: int = 1_000_000
) -> AsyncIterator[CloudWatchStage]:
    """The overlay on loopback, and the driver with keys for it."""
    account = Account(started_at=T0, endpoint="https://127.0.0.1:6443", ca_pem=b"", now=lambda: T0)
    directory = Directory(time.time)
    overlay = Overlay(operations(account, directory), directory, now=lambda: T0)
    key = directory.standing("lab-admin")
    with listen("127.0.0.1", 0) as sock:
        server = AwsServer(overlay, sock)
        server.start()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port_of(sock)}",
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_SESSION_TOKEN": key.session_token or "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        eks = EksCluster(AwsClients(AwsSettings(timeout_s=timeout_s)), AwsTarget(region=REGION), "my-cluster")
        yield CloudWatchStage(account, overlay, CloudWatchMetrics(eks, FakeClock(T0), max_samples))
        overlay.faults.clear()
        server.stop()
