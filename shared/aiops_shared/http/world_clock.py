"""World time from a lab, and the choice between it and this machine's (decision D19).

`AIOPS_TIME_SOURCE` is the one setting that a lab gives a server. `make_clock` is called where a server is
wired. Waiting on a lab's clock lets the lab advance.
"""

from datetime import UTC, datetime
from typing import Any

from aiops_shared.clock import SystemClock
from aiops_shared.errors import NotConfiguredError, UpstreamError
from aiops_shared.settings import Settings

TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 4096


class RemoteClock(SystemClock):
    """World time by `GET url` → `{"now": …}`; waiting by `POST url/advance`. Safety time stays real."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def now(self) -> datetime:
        """World time, UTC. Raises UpstreamError when the time source fails."""
        return self._moment(await self._ask("GET", ""))

    async def sleep(self, seconds: float) -> None:
        """Wait in world time. Raises UpstreamError when the time source fails."""
        await self._ask("POST", "/advance", {"seconds": max(0.0, seconds)})

    def _moment(self, answer: Any) -> datetime:
        said = answer.get("now") if isinstance(answer, dict) else None
        try:
            moment = datetime.fromisoformat(said) if isinstance(said, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise UpstreamError(self._url, "answered with no time", "check AIOPS_TIME_SOURCE")
        return moment.astimezone(UTC)

    async def _ask(self, method: str, path: str, body: dict[str, float] | None = None) -> Any:
        import httpx

        from aiops_shared.http.answers import broken, deadline, parse_json, read_body
        from aiops_shared.http.client import make_client

        # A connection a question: runs, pollers and requests ask from event loops of their own.
        client = make_client(self._url, timeout_s=TIMEOUT_S, upstream="clock", plain_http=True)
        try:
            with deadline(self._url, TIMEOUT_S):
                async with client, client.stream(method, self._url + path, json=body) as response:
                    text = await read_body(response, self._url, MAX_ANSWER_BYTES)
        except httpx.TransportError as error:
            raise broken(self._url, error) from error
        if response.status_code >= httpx.codes.MULTIPLE_CHOICES:
            raise UpstreamError(self._url, f"HTTP {response.status_code}", "check AIOPS_TIME_SOURCE")
        return parse_json(text, self._url) if method == "GET" else None


def make_clock(settings: Settings) -> SystemClock:
    """The clock that the settings name. Raises NotConfiguredError for neither `system` nor a URL."""
    source = settings.time_source
    if source == "system":
        return SystemClock()
    if not source.startswith(("http://", "https://")):
        raise NotConfiguredError("AIOPS_TIME_SOURCE", f"{source!r} is neither system nor a URL")
    return RemoteClock(source)
