"""People are told: on each channel in its own wire format, once, and loudly when nobody hears."""

import logging
from pathlib import Path
from typing import Any

import pytest
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends
from sqlalchemy import select

from aiops_lab.observatory.heard import Hearing
from aiops_lab.observatory.pagerduty import ROUTING_KEY
from aiops_lab.observatory.slack import HOOK
from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import AiopsError, UpstreamError
from aiops_shared.settings import AwsSettings, Settings, StateSettings
from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import notices
from aiops_sop.clients.channels import AgainError, Mail, Message, PagerDuty, Slack, Sns
from aiops_sop.clients.telling import ChannelTeller, message_of
from tests.e2e.stage import lab_environment
from tests.fakes.clocks import FakeClock
from tests.lab_fixture import running_lab

CANARY = "AKIAFAKECANARY123456"
NOTICE = {
    "id": "inc_1/escalation",
    "kind": "escalation",
    "severity": "high",
    "incident_id": "inc_1",
    "run_id": "",
    "title": "CrashLoopBackOff of pod staging/a",
    "text": f"Cause: <!channel> & key {CANARY} \x1b[2J",
    "cluster": "c",
}


class Pauses:
    """Waits that are only written down."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)


async def states(store: StateStore) -> dict[str, str]:
    query = select(notices.c.channel, notices.c.state)
    return await store.read(lambda conn: {row.channel: row.state for row in conn.execute(query)})


@pytest.mark.timeout(60)
async def test_every_channel_takes_its_own_form_and_a_notice_is_said_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_lab("healthy") as lab:
        lab_environment(lab, monkeypatch, "lab-admin")
        url = lab.observatory.url
        (tmp_path / "slack").write_text(f"{url}/slack{HOOK}\n")
        (tmp_path / "key").write_text(ROUTING_KEY)
        store, clock, pauses = StateStore(StateSettings(dir=tmp_path)), FakeClock(), Pauses()
        slack = Slack(tmp_path / "slack")
        pager = PagerDuty(tmp_path / "key", f"{url}/pagerduty/v2/enqueue")
        teller = ChannelTeller((slack, pager), store, clock, pauses)
        heard = lab.observatory.account.area(Hearing)

        assert await teller.tell(NOTICE) == ("pagerduty", "slack")
        assert await teller.tell(NOTICE) == ("pagerduty", "slack")
        (text,) = [one["text"] for one in heard.slack]
        assert "&lt;!channel&gt; &amp; key" in text
        (page,) = heard.pages["inc_1/escalation"]
        assert (page["event_action"], page["payload"]["severity"]) == ("trigger", "error")
        assert page["payload"]["source"] == "c"
        assert CANARY not in str(heard)
        assert "\x1b" not in str(heard)
        assert await states(store) == {"slack": "sent", "pagerduty": "sent"}

        lab.observatory.fail("slack", status=503)
        assert await teller.tell({**NOTICE, "id": "two"}) == ("pagerduty",)
        assert pauses.waited == [1.0, 1.0]
        assert "two was NOT said on slack" in caplog.text
        lab.observatory.fail("pagerduty", status=429)
        with caplog.at_level(logging.ERROR), pytest.raises(UpstreamError, match="no channel took it"):
            await teller.tell({**NOTICE, "id": "three"})
        lab.observatory.heal()
        # What could not be said, and what was only intended when a process died, is said when it comes again.
        assert await teller.tell({**NOTICE, "id": "three"}) == ("pagerduty", "slack")
        long = {**NOTICE, "id": "x" * 400, "title": "t" * 5000, "text": "w" * 100_000}
        assert await teller.tell({**long, "channel": "pagerduty"}) == ("pagerduty",)
        (tmp_path / "key").write_text("another")
        with pytest.raises(UpstreamError, match="HTTP 400"):
            await teller.tell({**NOTICE, "id": "four", "channel": "pagerduty"})

        aws, here = AwsClients(AwsSettings()), AwsTarget(region="us-east-1")
        topic = (await aws.call(here, "sns", "create_topic", Name="ops"))["TopicArn"]
        await aws.call(here, "sesv2", "create_email_identity", EmailIdentity="aiops@example.com")
        sns, mail = Sns(aws, topic), Mail(aws, "aiops@example.com", ("oncall@example.com",))
        for one in (sns, mail):
            await one.say(message_of({**NOTICE, "title": "Disk full: \u00e9\n" * 20}))
        with pytest.raises(AiopsError):
            await Sns(aws, topic + "-gone").say(message_of(NOTICE))
        with pytest.raises(AiopsError):
            await Mail(aws, "nobody@example.org", ("a@example.com",)).say(message_of(NOTICE))
        account = topic.split(":")[4]
        published = sns_backends[account]["us-east-1"].topics[topic].sent_notifications
        mails = ses_backends[account]["us-east-1"].sent_messages
        assert "incident_id: inc_1" in str(published[-1])
        assert mails[-1].destinations["ToAddresses"] == ["oncall@example.com"]
        assert mails[-1].subject.isascii()
        assert len(mails[-1].subject) <= 100
        assert CANARY not in f"{published} {[vars(one) for one in mails]}"


async def test_nobody_configured_is_said_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    teller = ChannelTeller.of(Settings(), StateStore(StateSettings(dir=tmp_path)), FakeClock())
    assert await teller.tell(NOTICE) == ("log",)
    assert "CrashLoopBackOff of pod staging/a" in caplog.text
    assert CANARY not in caplog.text


def test_settings_name_the_channels(tmp_path: Path) -> None:
    told: dict[str, Any] = {
        "slack_url_file": tmp_path / "a",
        "pagerduty_key_file": tmp_path / "b",
        "sns_topic": "arn:aws:sns:us-east-1:111122223333:ops",
        "email_from": "aiops@example.com",
        "email_to": ["a@example.com"],
    }
    settings = Settings.model_validate({"notify": told})
    teller = ChannelTeller.of(settings, StateStore(StateSettings(dir=tmp_path)), FakeClock())
    assert [one.name for one in teller.channels] == ["pagerduty", "slack", "sns", "email"]


def test_a_notice_is_one_line_of_title_and_bounded_facts() -> None:
    message = message_of({**NOTICE, "title": "a\nb", "data": {f"k{i}": "v" * 999 for i in range(99)}})
    assert "\n" not in message.title
    assert len(message.facts) <= 20
    assert all(len(value) <= 300 for value in message.facts.values())


async def test_a_webhook_that_is_gone_is_tried_again_and_its_url_is_in_no_error(tmp_path: Path) -> None:
    (tmp_path / "slack").write_text("http://127.0.0.1:9/services/fake-canary-path")
    with pytest.raises(AgainError) as caught:
        await Slack(tmp_path / "slack").say(Message("i", "t", "x"))
    assert "fake-canary" not in str(caught.value)
