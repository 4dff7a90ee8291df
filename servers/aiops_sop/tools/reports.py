"""The tool that reports."""

from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import AfterValidator, Field

from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, Clusters, StrList
from aiops_sop.models.reports import Audience, Report, ReportAsk, ReportKind
from aiops_sop.ports import Reports

_LONGEST = 60


def _short(value: str) -> str:
    if len(value) > _LONGEST or not value.isprintable():
        raise InvalidInputError("period", f"takes printable text of at most {_LONGEST} characters")
    return value


Period = Annotated[str, AfterValidator(_short), Field(description="30d, 2026-10 or FROM..TO")]
Baseline = Annotated[str, AfterValidator(_short), Field(description="Before; absent: equal period before")]
Rates = Annotated[StrList, Field(description="roi in money: downtime_hour_usd=5000, programme_usd_year=…")]


@dataclass(frozen=True)
class ReportTools:
    """Tools that report."""

    reports: Reports

    async def get_report(
        self,
        kind: ReportKind,
        period: Period = "",
        audience: Audience = "ops",
        cluster: Clusters = None,
        baseline: Baseline = "",
        rates: Rates = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
    ) -> Report:
        """Report from evidence, each number traceable: maturity (level 0-4 and next steps), roi (before and
        after: MTTD, MTTR, alerts, recurrence, cost), noise of alerts, ops (incidents, runs, errors, cost).
        """
        several = (cluster,) if isinstance(cluster, str) else tuple(cluster or ())
        ask = ReportAsk(
            kind=kind,
            period=period,
            baseline=baseline,
            audience=audience,
            clusters=several,
            rates=tuple(rates),
        )
        return await self.reports.report(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.get_report, annotations=READS, tags={"read"})]
