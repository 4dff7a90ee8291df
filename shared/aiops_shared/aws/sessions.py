"""boto3 sessions: of the default chain, or of a role that is assumed anew for each caller and run (D16).

Blocking; `clients` makes them in a thread and under its lock. A role's credentials renew themselves; which
of them signs a request is decided when it is signed, so that callers share clients and their connections.
"""

import gzip
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
    ReadOnlyCredentials,
)
from botocore.exceptions import NoCredentialsError
from botocore.loaders import JSONFileLoader, create_loader

from aiops_shared.aws.target import ASKING, AwsTarget

CONNECT_S = 5.0
TRIES = 4
PROGRAM = "eks-aiops"
METHOD = "aiops-assume-role"
MAX_ROLE_SESSIONS = 2048
_ENDINGS: Final[Mapping[str, Callable[..., Any]]] = {".json": open, ".json.gz": gzip.open}


class RoleCredentials(Credentials):
    """The credentials of a role, for whom the request at hand is made: one STS session per caller and run.

    `sts` assumes the role, with the source's own credentials. What is kept of a caller is small; the one that
    asked least lately is forgotten, and its session assumed again when it comes back.
    """

    def __init__(self, sts: BaseClient, role: str, external_id: str) -> None:
        super().__init__("", "", method=METHOD)
        self._sts = sts
        self._role = role
        self._more = {"ExternalId": external_id} if external_id else {}
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str], DeferredRefreshableCredentials] = OrderedDict()

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Those that sign now. Raises botocore's errors when the role cannot be assumed."""
        return self._of(ASKING.get()).get_frozen_credentials()

    def _of(self, target: AwsTarget) -> DeferredRefreshableCredentials:
        key = (target.caller, target.run)
        with self._lock:
            found = self._held.get(key)
            if found is None:
                found = self._held[key] = self._assumed(target.session_name)
            self._held.move_to_end(key)
            if len(self._held) > MAX_ROLE_SESSIONS:
                self._held.popitem(last=False)
            return found

    def _assumed(self, name: str) -> DeferredRefreshableCredentials:
        """Fetched at first use, and again before they expire."""
        extra = {"RoleSessionName": name, **self._more}
        source = Credentials("", "")  # not looked at: `sts` has its own, which renew themselves
        fetcher = AssumeRoleCredentialFetcher(lambda *_, **__: self._sts, source, self._role, extra)
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, METHOD)


class _RoleProvider(CredentialProvider):
    """The one provider of a session that acts as a role."""

    METHOD = METHOD

    def __init__(self, credentials: RoleCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> RoleCredentials:
        """The same always: they choose by themselves."""
        return self._credentials


class Models(JSONFileLoader):
    """Reads AWS's service models as plain dictionaries: they keep their order too, and take a third less
    memory than the OrderedDicts of botocore's own reader.
    """

    def load_file(self, file_path: str) -> Any:
        """A model, of a path without its ending; None where there is none."""
        for ending, opened in _ENDINGS.items():
            path = Path(file_path + ending)
            if path.is_file():
                with opened(path, "rb") as file:
                    return json.load(file)
        return None


@cache
def _loader(data_path: str | None) -> Any:
    """The process's one reader of AWS's service models: each of its own costs 0.3 s of CPU and 25 MB."""
    loader = create_loader(data_path)
    loader.file_loader = Models()
    return loader


class Sessions:
    """Makes sessions; all of the process share the service models, so that a second client is cheap."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def config(self) -> Config:
        """Timeouts, retries and the program's name of every client; a call adds its caller (`clients`)."""
        return Config(
            connect_timeout=min(CONNECT_S, self._timeout_s),
            read_timeout=self._timeout_s,
            retries={"mode": "adaptive", "total_max_attempts": TRIES},
            user_agent_extra=PROGRAM,
            max_pool_connections=16,
        )

    def make(self, target: AwsTarget) -> Any:
        """A session for `target`. Raises botocore's errors."""
        own = self._botocore(target.region)
        if target.role:
            own.register_component("credential_provider", self._role(target))
        return boto3.Session(botocore_session=own)  # noqa: TID251  # the one place that makes them

    def _botocore(self, region: str) -> Any:
        session = botocore.session.Session()
        if region:
            session.set_config_variable("region", region)
        session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
        return session

    def _role(self, target: AwsTarget) -> CredentialResolver:
        source = self._botocore(target.region)
        if source.get_credentials() is None:
            raise NoCredentialsError
        sts = source.create_client("sts", config=self.config())
        credentials = RoleCredentials(sts, target.role, target.external_id)
        return CredentialResolver([_RoleProvider(credentials)])
