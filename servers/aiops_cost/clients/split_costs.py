"""Costs by workload from CUR 2.0 with split cost allocation data: AWS's own division.

The first of the sources, when `AIOPS_COST_CUR` names a folder, an s3:// prefix or an Athena table. What was
read is kept, since Athena bills its scans and files are large.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from aiops_cost.analysis.charges import Of, charge_kind
from aiops_cost.analysis.settling import unsettled_days
from aiops_cost.analysis.split_rows import SplitRow, divided
from aiops_cost.clients.allocation_logs import LogSharer, LogShares
from aiops_cost.clients.allocation_source import Asked, Divided
from aiops_cost.clients.kept_answers import kept, recalled
from aiops_cost.clients.split_athena import PREFIX, Athena
from aiops_cost.clients.split_files import read_bucket, read_folder
from aiops_cost.clients.split_query import HOW, Question
from aiops_cost.models.money import nano
from aiops_shared.auth.callers import CallerIdentity
from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import AiopsError, NotFoundError
from aiops_shared.kube.cluster_sources import account_target
from aiops_shared.results import Evidence
from aiops_shared.settings import Settings
from aiops_shared.state.answers import Answers, key_of

if TYPE_CHECKING:
    from aiops_cost.clients.fleet_reading import FleetReader

REGION: Final = "us-east-1"  # where nothing else is known


class SplitCosts:
    """Fulfils `allocation_source.Source`."""

    name = "cur"

    def __init__(
        self,
        settings: Settings,
        aws: AwsClients,
        answers: Answers,
        who: CallerIdentity,
        logs: "tuple[LogSharer, FleetReader]",
    ) -> None:
        self._settings = settings
        self._aws = aws
        self._kept = answers
        self._who = who
        self._logs, self._fleets = logs

    async def divided(self, asked: Asked) -> Divided:
        """One cluster's costs by owner. Raises NotConfiguredError without the extra `cur` or the columns,
        NotFoundError for a cluster or days without split rows, UpstreamError.
        """
        rows, says = await self._rows(asked)
        if not any(row.split is not None for row in rows):
            raise NotFoundError(
                f"split costs of {asked.name}",
                f"no split row of {asked.period}",
                f"{HOW}; rows come days late",
            )
        shares = await self._shares(asked, rows)
        made = divided(rows, shares.shares)
        logs = f"; logs by bytes ({shares.says})" if shares.says else ""
        return Divided(
            source=self.name,
            method=f"AWS split cost allocation data; its unused cost is idle{logs}",
            allocation=made,
            unsettled=_unsettled(asked),
            evidence=(
                Evidence(source="cost and usage data 2.0", query=f"{asked.period}, {asked.name}", says=says),
                *shares.evidence,
            ),
            warnings=(*made.notes, *shares.warnings),
        )

    async def _rows(self, asked: Asked) -> tuple[list[SplitRow], str]:
        place = self._settings.cost.cur
        key = key_of(place, asked.name, str(asked.period), asked.metric)
        held = await recalled(self._kept, key, _kept_rows, timedelta(hours=self._settings.cost.keep_h))
        if held.value is not None and held.made_at is not None:
            return held.value, f"kept since {held.made_at:%Y-%m-%d %H:%M}"
        tags = self._settings.cost.cluster_tags
        question = Question(asked.name, asked.period.first, asked.period.end, tags, asked.metric)
        found, says = await self._read(place, question, asked)
        plain = [[None if value is None else str(value) for value in row] for row in found]
        rows = [_row(one) for one in plain]
        note = await kept(self._kept, key, orjson.dumps(plain)) or held.note
        return rows, f"{says}; {note}" if note else says

    async def _read(self, place: str, question: Question, asked: Asked) -> tuple[list[tuple[Any, ...]], str]:
        if place.startswith(PREFIX):
            return await Athena(self._aws, self._target(asked), self._settings.cost).read(question)
        if place.startswith("s3://"):
            return await read_bucket(self._aws, self._target(asked), place, question)
        return await read_folder(place, question)

    def _target(self, asked: Asked) -> AwsTarget:
        """The account of the bill, in the cluster's region."""
        region = asked.eks.target.region if asked.eks is not None else REGION
        if not self._settings.cost.account and asked.eks is not None:
            return asked.eks.target
        return account_target(self._settings, self._settings.cost.account, region, self._who)

    async def _shares(self, asked: Asked, rows: Sequence[SplitRow]) -> LogShares:
        has_logs = any(charge_kind(row.product, row.usage_type)[0] is Of.LOGS and row.cost for row in rows)
        if not has_logs or asked.eks is None:
            return LogShares()
        try:
            facts = await self._fleets.read(asked.word, asked.window, usage=False)
        except AiopsError as error:
            return LogShares(warnings=(f"who writes logs is open: {error.wire()}"[:300],))
        return await self._logs.read(asked.eks, facts.fleet, asked.window, asked.now)


def _kept_rows(body: bytes) -> list[SplitRow]:
    return [_row(one) for one in orjson.loads(body)]


def _row(values: Sequence[Any]) -> SplitRow:
    product, usage, namespace, kind, name, deployment, cost, split, unused = values
    return SplitRow(
        product=product or "",
        usage_type=usage or "",
        namespace=namespace or "",
        kind=kind or "",
        name=name or "",
        deployment=deployment or "",
        cost=nano(cost or 0),
        split=None if split is None else nano(split),
        unused=nano(unused or 0),
    )


def _unsettled(asked: Asked) -> tuple[Any, ...]:
    days = [asked.period.first + timedelta(days=place) for place in range(asked.period.days)]
    open_ = unsettled_days(days, [False] * len(days), asked.now.date())
    return tuple(day for day, late in zip(days, open_, strict=True) if late)
