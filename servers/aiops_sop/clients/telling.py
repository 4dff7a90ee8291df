"""Tells people: a run's `notify`, an escalation; on every configured channel, each notice once.

Fulfils `ports.Teller`. A notice is written down as intended before a channel hears it and as sent after: a
process that was killed between the two says it again (people would rather hear it twice than never), under
the same key where the channel can tell a repetition (PagerDuty, SNS FIFO). What failed everywhere is said
loudly: raised, logged as an error, and kept as failed.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from sqlalchemy import Connection, select, update

from aiops_shared.aws.clients import AwsClients
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, UpstreamError
from aiops_shared.guardrails.redacting import escape_untrusted, redact
from aiops_shared.results.wording import cut
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import notices
from aiops_sop.clients.channels import AgainError, Channel, Mail, Message, PagerDuty, Slack, Sns

TRIES: Final = 3
FIRST_PAUSE_S: Final = 1.0
TITLE_CHARS, TEXT_CHARS, FACT_CHARS, MOST_FACTS = 300, 12_000, 300, 20
LOG: Final = "log"
_FACTS: Final = ("cluster", "incident_id", "run_id", "sop")
_log = logging.getLogger("aiops.notify")
_OF = notices.c


@dataclass(frozen=True)
class ChannelTeller:
    """Over the configured channels; without any, notices stand in the log."""

    channels: Sequence[Channel]
    store: StateStore
    clock: Clock
    pause: Callable[[float], Awaitable[None]] = field(default=anyio.sleep)

    @classmethod
    def of(cls, settings: Settings, store: StateStore, clock: Clock) -> "ChannelTeller":
        """The channels that the settings name."""
        told = settings.notify
        found: list[Channel] = []
        if told.pagerduty_key_file:
            found.append(PagerDuty(told.pagerduty_key_file, told.pagerduty_url))
        if told.slack_url_file:
            found.append(Slack(told.slack_url_file))
        aws = AwsClients(settings.aws)
        if told.sns_topic:
            found.append(Sns(aws, told.sns_topic))
        if told.email_from and told.email_to:
            found.append(Mail(aws, told.email_from, tuple(told.email_to)))
        return cls(tuple(found), store, clock)

    async def tell(self, notice: Mapping[str, Any]) -> Sequence[str]:
        """Say it; the channels that took it. Raises UpstreamError when there are channels and none did."""
        message = message_of(notice)
        wanted = str(notice.get("channel", ""))
        chosen = [one for one in self.channels if one.name == wanted] or list(self.channels)
        if not chosen:
            _log.warning("%s: %s", message.title, message.text)
            return (LOG,)
        failed: dict[str, AiopsError] = {}
        took: list[str] = []

        async def one(channel: Channel) -> None:
            try:
                await self._said(channel, message, str(notice.get("run_id", "")))
                took.append(channel.name)
            except AiopsError as error:
                failed[channel.name] = error

        async with anyio.create_task_group() as tasks:
            for channel in chosen:
                tasks.start_soon(one, channel)
        for name, error in failed.items():
            _log.error("notice %s was NOT said on %s: %s", message.id, name, error.wire())
        if not took:
            says = "; ".join(f"{name}: {error}" for name, error in sorted(failed.items()))
            raise UpstreamError("notice", f"no channel took it ({cut(says, 300)})", "check AIOPS_NOTIFY_*")
        return tuple(sorted(took))

    async def _said(self, channel: Channel, message: Message, run_id: str) -> None:
        if await self._begun(channel.name, message, run_id) == "sent":
            return
        try:
            await self._tried(channel, message)
        except AiopsError:
            await self._now(channel.name, message.id, "failed")
            raise
        await self._now(channel.name, message.id, "sent")

    async def _tried(self, channel: Channel, message: Message) -> None:
        for last in (False,) * (TRIES - 1) + (True,):
            try:
                await channel.say(message)
            except AgainError as error:
                if last:
                    raise error.error from error
                await self.pause(error.after_s or FIRST_PAUSE_S)
            else:
                return

    async def _begun(self, channel: str, message: Message, run_id: str) -> str:
        """Write the intent down; what stood there before."""
        now = await self.clock.now()

        def work(conn: Connection) -> str:
            mine = (_OF.id == message.id[:128]) & (_OF.channel == channel)
            found = conn.execute(select(_OF.state).where(mine)).scalar_one_or_none()
            if found is None:
                says = f"{message.title}\n{message.text}"
                row = {"id": message.id[:128], "channel": channel, "run_id": run_id, "at": now}
                conn.execute(notices.insert().values(**row, state="intended", says=says))
            return str(found or "")

        return await self.store.run(work)

    async def _now(self, channel: str, notice_id: str, state: str) -> None:
        mine = (_OF.id == notice_id[:128]) & (_OF.channel == channel)
        await self.store.run(lambda conn: conn.execute(update(notices).where(mine).values(state=state)))


def message_of(notice: Mapping[str, Any]) -> Message:
    """A notice, redacted whole, then escaped and cut."""
    data = notice.get("data")
    told = {**(data if isinstance(data, Mapping) else {}), **{key: notice.get(key) for key in _FACTS}}
    facts = {
        str(key)[:60]: _clean(value, FACT_CHARS) for key, value in list(told.items())[:MOST_FACTS] if value
    }
    return Message(
        id=str(notice["id"]),
        title=_clean(notice.get("title") or "eks-aiops", TITLE_CHARS).replace("\n", " "),
        text=_clean(notice.get("text", ""), TEXT_CHARS),
        severity=str(notice.get("severity") or ("info" if notice.get("kind") == "notify" else "high")),
        facts=facts,
    )


def _clean(value: Any, most: int) -> str:
    return cut(escape_untrusted(redact(str(value))), most)
