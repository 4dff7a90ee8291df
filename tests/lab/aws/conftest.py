"""A running AWS overlay without the rest of the lab, and real botocore clients of it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import Session

from aiops_lab.aws.account import Account
from aiops_lab.aws.overlay import Overlay
from aiops_lab.aws.principals import Directory
from aiops_lab.aws.server import AwsServer
from aiops_lab.aws.services import operations
from aiops_lab.serving import listen, port_of

SESSION = Session()  # one for all: it keeps the service models it has read, which take longer than a test
T0 = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@dataclass
class RunningAws:
    """The parts a test wants to see."""

    account: Account
    directory: Directory
    overlay: Overlay
    url: str

    def client(self, service: str, who: str = "lab-admin", **changed: Any) -> Any:
        """A botocore client with the standing key of `who`; `changed` overrides what it is made of."""
        key = self.directory.standing(who)
        made_of: dict[str, Any] = {
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "aws_access_key_id": key.access_key_id,
            "aws_secret_access_key": key.secret_access_key,
            "aws_session_token": key.session_token,
        }
        return SESSION.create_client(service, **(made_of | changed))


@pytest.fixture
def aws() -> Iterator[RunningAws]:
    account = Account(
        started_at=T0,
        endpoint="https://127.0.0.1:6443",
        ca_pem=b"-----BEGIN CERTIFICATE-----\n",
        now=lambda: T0,
    )
    directory = Directory(time.time)
    overlay = Overlay(operations(account, directory), directory, now=lambda: T0)
    with listen("127.0.0.1", 0) as sock:
        server = AwsServer(overlay, sock)
        server.start()
        yield RunningAws(account, directory, overlay, f"http://127.0.0.1:{port_of(sock)}")
        server.stop()
