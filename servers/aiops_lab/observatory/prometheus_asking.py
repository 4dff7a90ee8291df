"""The parameters of Prometheus' API: times, durations, repeated matchers, and how bad ones are refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from starlette.requests import Request

from aiops_lab.promql.values import PromqlError

MOST_POINTS = 11_000
MOST_BODY_BYTES = 1_000_000
_UNITS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_DURATION = re.compile("".join(rf"(?:(\d+)({unit}))?" for unit in _UNITS))
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def bad(name: str, words: str) -> PromqlError:
    """A refused parameter."""
    return PromqlError(f'invalid parameter "{name}": {words}', "bad_data")


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of one request, of its query and its form."""

    pairs: tuple[tuple[str, str], ...]
    path: Mapping[str, str]

    @classmethod
    async def of(cls, request: Request) -> "Asked":
        """Read them; a form that is too long counts as none."""
        pairs = request.query_params.multi_items()
        if request.method == "POST":
            body = await request.body()
            if len(body) <= MOST_BODY_BYTES:
                pairs = [*parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True), *pairs]
        return cls(tuple(pairs), request.path_params)

    def one(self, name: str) -> str:
        """A parameter; empty if it was not given."""
        return next((value for key, value in self.pairs if key == name), "")

    def every(self, name: str) -> list[str]:
        """A parameter that may repeat."""
        return [value for key, value in self.pairs if key == name]

    def time_ms(self, name: str, otherwise: int, words: str = "") -> int:
        """A time. Raises PromqlError bad_data."""
        text = self.one(name)
        return read_time_ms(text, name, words) if text else otherwise


def read_time_ms(text: str, name: str, words: str = "") -> int:
    """Unix seconds or RFC 3339. Raises PromqlError bad_data."""
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad(name, f'{words}cannot parse "{text}" to a valid timestamp') from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def read_duration_ms(text: str, name: str) -> int:
    """Seconds, or a duration such as 1h30m. Raises PromqlError bad_data."""
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        pass
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise bad(name, f'cannot parse "{text}" to a valid duration')
    parts = [part for part in found.groups() if part is not None]
    return sum(int(number) * _UNITS[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))


def label_name(text: str) -> str:
    """A label's name. Raises PromqlError bad_data."""
    if not _LABEL.fullmatch(text):
        raise PromqlError(f'invalid label name: "{text}"', "bad_data")
    return text
