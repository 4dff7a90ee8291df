"""boto3 sessions, one per identity: the default chain's, or a role assumed for one caller and run.

Blocking; called by `clients` in a thread and under its lock. A role's credentials renew themselves.
"""

from functools import partial
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

from aiops_shared.aws.target import AwsTarget

CONNECT_S = 5.0
TRIES = 4


class _RoleProvider(CredentialProvider):
    """The one provider of a session that acts as a role."""

    METHOD = "aiops-assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that are fetched at first use and again before they expire."""
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


class Sessions:
    """Makes sessions; all share one loader of service models, so that a second client is cheap."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._loader: Any = None

    def config(self, target: AwsTarget) -> Config:
        """Timeouts, retries and the user agent of every client."""
        return Config(
            connect_timeout=min(CONNECT_S, self._timeout_s),
            read_timeout=self._timeout_s,
            retries={"mode": "adaptive", "total_max_attempts": TRIES},
            user_agent_extra=target.user_agent,
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
        if self._loader is None:
            self._loader = session.get_component("data_loader")
        else:
            session.register_component("data_loader", self._loader)
        return session

    def _role(self, target: AwsTarget) -> CredentialResolver:
        source = self._botocore(target.region)
        credentials = source.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        extra = {"RoleSessionName": target.session_name}
        if target.external_id:
            extra["ExternalId"] = target.external_id
        fetcher = AssumeRoleCredentialFetcher(
            partial(source.create_client, config=self.config(target)), credentials, target.role, extra
        )
        return CredentialResolver([_RoleProvider(fetcher)])
