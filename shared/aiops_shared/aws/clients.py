"""The one factory of AWS clients, and the one way to call them.

A client is kept per service *and* account, region and role, never per service alone: the first region asked
would answer for all others. Callers share it, since one costs 30 ms and half a megabyte; what must be a
caller's own is chosen for each request: the role session that signs it, named by caller and run (`sessions`),
and the user agent. Blocking calls run in threads under a deadline; what comes back is plain data or an
`AiopsError`.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from aiops_shared.aws.target import ASKING, AwsTarget, for_whom, require_region
from aiops_shared.errors import AiopsError, NotConfiguredError, UpstreamError, UpstreamTimeoutError
from aiops_shared.results.counting import count_upstream
from aiops_shared.settings import AwsSettings

if TYPE_CHECKING:
    from aiops_shared.aws.sessions import Sessions

Result = TypeVar("Result")
MAX_SESSIONS = 64  # of accounts, regions and roles; the oldest is forgotten
MAX_CLIENTS = 256
THREADS = 16
MAX_ITEMS = 1000
# These say `"addons": []` when there are none; botocore reads a body that is no JSON as one without any key.
NAMES_EMPTY_LISTS = frozenset({"eks"})
GLOBAL_STS = "https://sts.amazonaws.com"  # sts_regional_endpoints = legacy
GLOBAL_STS_REGION = "us-east-1"


# Set in the context of one call, which its thread inherits.
_GIVEN_UP: ContextVar[threading.Event | None] = ContextVar("aiops_aws_given_up", default=None)


class _GivenUpError(Exception):
    """Stops a thread whose caller has gone. Nobody sees it."""


def _refuse_what_nobody_waits_for(**_: object) -> None:
    """Before each try: a retry after the deadline could change something that was reported as failed."""
    given_up = _GIVEN_UP.get()
    if given_up is not None and given_up.is_set():
        raise _GivenUpError


def _say_for_whom(request: Any, **_: object) -> None:
    """As each request is made: its own caller and run in the user agent, on a client that others share.

    The last to touch it, since botocore writes the header anew for every try; it is not signed.
    """
    said, words = str(request.headers.get("User-Agent", "")), ASKING.get().user_agent
    if words and not said.endswith(words):
        del request.headers["User-Agent"]
        request.headers["User-Agent"] = f"{said} {words}".strip()


@dataclass(frozen=True, slots=True)
class AwsItems:
    """The items of all pages; `truncated` when there were more than asked for."""

    items: tuple[Any, ...]
    truncated: bool = False


class AwsClients:
    """AWS as the settings reach it. Safe to share between tasks."""

    def __init__(self, settings: AwsSettings) -> None:
        self._timeout_s = settings.timeout_s
        self._lock = threading.Lock()  # held in worker threads only
        self._making: Sessions | None = None
        self._sessions: OrderedDict[AwsTarget, Any] = OrderedDict()
        self._clients: OrderedDict[tuple[str, AwsTarget], Any] = OrderedDict()
        self._limiter: anyio.CapacityLimiter | None = None

    def client(self, service: str, target: AwsTarget) -> Any:
        """A boto3 client. Blocking: call it in a thread, or use `call`. Raises botocore's errors."""
        target = self._asked_for(target)
        with self._lock:
            found = self._clients.get((service, target))
            if found is None:
                session, config = self._session(target), self._sessions_maker().config()
                found = self._clients[service, target] = session.client(service, config=config)
                found.meta.events.register_first("before-send", _refuse_what_nobody_waits_for)
                found.meta.events.register_last("request-created", _say_for_whom)
            self._clients.move_to_end((service, target))
            if len(self._clients) > MAX_CLIENTS:
                self._clients.popitem(last=False)
            return found

    def session(self, target: AwsTarget) -> Any:
        """The boto3 session of `target`. Blocking."""
        target = self._asked_for(target)
        with self._lock:
            return self._session(target)

    @staticmethod
    def _asked_for(target: AwsTarget) -> AwsTarget:
        """What sessions and clients are kept by; as whom their requests are made is noted in the context of
        this call's thread, where botocore signs them.
        """
        ASKING.set(for_whom(target))
        return replace(target, caller="", run="")

    def _session(self, target: AwsTarget) -> Any:
        found = self._sessions.get(target)
        if found is None:
            found = self._sessions[target] = self._sessions_maker().make(target)
        self._sessions.move_to_end(target)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return found

    def _sessions_maker(self) -> "Sessions":
        from aiops_shared.aws.sessions import Sessions

        if self._making is None:
            self._making = Sessions(self._timeout_s)
        return self._making

    async def run(self, thing: str, act: Callable[[], Result]) -> Result:
        """`act` in a thread, within the deadline, its errors translated. Raises `AiopsError`."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(THREADS)

        def safely() -> Result:
            from botocore.exceptions import BotoCoreError, ClientError

            from aiops_shared.aws.translating import translated

            try:
                return act()
            except (BotoCoreError, ClientError) as error:
                raise translated(thing, error) from error

        given_up = threading.Event()
        mark = _GIVEN_UP.set(given_up)
        try:
            with anyio.fail_after(self._timeout_s):
                return await anyio.to_thread.run_sync(safely, abandon_on_cancel=True, limiter=self._limiter)
        except TimeoutError as error:
            raise UpstreamTimeoutError(
                thing, f"no answer within {self._timeout_s:g} s", "again later, or raise AIOPS_AWS_TIMEOUT_S"
            ) from error
        finally:
            given_up.set()
            _GIVEN_UP.reset(mark)

    async def call(self, target: AwsTarget, service: str, operation: str, **parameters: Any) -> Any:
        """One operation by its method's name: `call(target, "eks", "describe_cluster", name="x")`."""

        def act() -> Any:
            return getattr(self.client(service, target), operation)(**parameters)

        return await self._counted(target, service, act)

    async def _counted(self, target: AwsTarget, service: str, act: Callable[[], Result]) -> Result:
        """`run`, told to the suite's own metrics: tries of the SDK and pages count as one."""
        try:
            found = await self.run(f"AWS {service} in {target}", act)
        except AiopsError as error:
            count_upstream(f"aws/{service}", error.code)
            raise
        count_upstream(f"aws/{service}")
        return found

    async def every(
        self,
        target: AwsTarget,
        service: str,
        operation: str,
        key: str,
        *,
        at_most: int = MAX_ITEMS,
        **parameters: Any,
    ) -> AwsItems:
        """The items under `key` of all pages, at most so many; the cut is said."""

        def act() -> AwsItems:
            found: list[Any] = []
            for page in self.client(service, target).get_paginator(operation).paginate(**parameters):
                if service in NAMES_EMPTY_LISTS and key not in page:
                    raise UpstreamError(f"AWS {service} in {target}", f"{operation}: its answer was cut off")
                found += page.get(key) or []
                if len(found) > at_most:
                    return AwsItems(tuple(found[:at_most]), truncated=True)
            return AwsItems(tuple(found))

        return await self._counted(target, service, act)

    async def default_region(self) -> str:
        """The region of the default chain. Raises NotConfiguredError when there is none."""
        region = await self.run("AWS", lambda: self.session(AwsTarget()).region_name)
        if not region:
            raise NotConfiguredError("AWS region", "none is configured", "set AWS_REGION")
        return require_region(region)

    async def signing(self, target: AwsTarget) -> tuple[Any, str, str]:
        """What an EKS token is made of: frozen credentials, the STS endpoint in force, its signing region."""

        def act() -> tuple[Any, str, str]:
            from botocore.exceptions import NoCredentialsError

            client = self.client("sts", target)
            credentials = self.session(target).get_credentials()
            if credentials is None:
                raise NoCredentialsError
            url = client.meta.endpoint_url
            region = GLOBAL_STS_REGION if url.rstrip("/") == GLOBAL_STS else client.meta.region_name
            return credentials.get_frozen_credentials(), url, region

        return await self.run(f"AWS credentials of {target}", act)
