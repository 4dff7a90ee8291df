"""Cost Explorer with amounts that a test wrote down, where the lab's bill cannot be so: two currencies, pages
of a few groups, months whose every day is an estimate.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import anyio.lowlevel

from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import AiopsError, ThrottledError
from aiops_shared.settings import AwsSettings

# keys, amount, currency, quantity, unit
Group = tuple[tuple[str, ...], str, str, str, str]
OfDay = Callable[[date], Iterable[Group]]


@dataclass(eq=False)
class WrittenBill(AwsClients):
    """Answers GetCostAndUsage from `of_day`, `page` groups at a time; `asked` are the spans of days asked."""

    of_day: OfDay
    page: int = 5000
    estimated: Callable[[date], bool] = lambda day: False
    account: str = "111122223333"
    broken_after: int | None = None  # requests that are answered before it throttles
    error: AiopsError = field(default_factory=lambda: ThrottledError("AWS ce", "Rate exceeded", "wait"))
    nobody: AiopsError | None = None  # why there are no credentials
    asked: list[tuple[str, str]] = field(default_factory=list)
    requests: int = 0

    def __post_init__(self) -> None:
        super().__init__(AwsSettings())

    async def call(self, target: AwsTarget, service: str, operation: str, **parameters: Any) -> Any:
        """One page."""
        await anyio.lowlevel.checkpoint()
        if self.nobody is not None:
            raise self.nobody
        if service == "sts":
            return {"Account": self.account}
        if operation != "get_cost_and_usage":
            raise ThrottledError(service, f"{operation} is not written", "")
        if self.broken_after is not None and self.requests >= self.broken_after:
            raise self.error
        self.requests += 1
        first, end = (date.fromisoformat(parameters["TimePeriod"][one]) for one in ("Start", "End"))
        start = int(parameters.get("NextPageToken") or 0)
        if not start:
            self.asked.append((first.isoformat(), end.isoformat()))
        days = [first + timedelta(days=at) for at in range((end - first).days)]
        every = [(day, group) for day in days for group in self.of_day(day)]
        here = every[start : start + self.page]
        last = start + self.page >= len(every)
        known = {day for day, _ in here} | (set(days) if last and not start else set())
        answer: dict[str, Any] = {
            "ResultsByTime": [
                self._day(day, [group for of, group in here if of == day], metric=parameters["Metrics"][0])
                for day in sorted(known)
            ]
        }
        return answer if last else {**answer, "NextPageToken": str(start + self.page)}

    def _day(self, day: date, groups: list[Group], metric: str) -> dict[str, Any]:
        return {
            "TimePeriod": {"Start": day.isoformat(), "End": (day + timedelta(days=1)).isoformat()},
            "Estimated": self.estimated(day),
            "Groups": [
                {
                    "Keys": list(keys),
                    "Metrics": {
                        metric: {"Amount": amount, "Unit": currency},
                        "UsageQuantity": {"Amount": quantity, "Unit": unit},
                    },
                }
                for keys, amount, currency, quantity, unit in groups
            ],
        }
