"""Where SOPs are, how events come in, who is told."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from aiops_shared.settings.grouping import CommaList, group


class SopSettings(BaseSettings):
    """Where SOPs are, and how the sop server reaches the other three."""

    model_config = group("AIOPS_SOP_")

    dirs: CommaList = Field(
        default_factory=list,
        description="Directories with SOPs of your own (`*.sop.md`), besides the shipped ones; one of the"
        " same name stands for the shipped one. Nothing else is loaded.",
    )
    knowledge_dirs: CommaList = Field(
        default_factory=list, description="Directories with what your team knows (docs/knowledge.md), YAML."
    )
    eks_url: str = Field(
        default="", description="MCP endpoint of the eks server; empty: started as a child process."
    )
    observability_url: str = Field(default="", description="… of the observability server.")
    cost_url: str = Field(default="", description="… of the cost server.")
    token_file: Path | None = Field(default=None, description="File with the bearer token for those URLs.")
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL where runs are kept durable; empty: `runs.db` in the state directory, or"
        " the PostgreSQL of AIOPS_STATE_URL. Not through a pooler in transaction mode.",
    )
    concurrency: int = Field(
        default=20, ge=1, le=500, description="Runs that one process carries on at once; more wait."
    )
    supervised_runs: int = Field(
        default=10,
        ge=1,
        description="Supervised runs of a SOP that must have succeeded before it may run auto in production.",
    )
    drill_days: int = Field(
        default=30, ge=1, description="Days for which a passed guardrail drill counts (`eks-aiops drill`)."
    )


class EventsSettings(BaseSettings):
    """How events come in."""

    model_config = group("AIOPS_EVENTS_")

    listen: str = Field(
        default="",
        description="Where `eks-aiops worker` takes POST /events, as 127.0.0.1:8790; empty: nowhere.",
    )
    token_file: Path | None = Field(
        default=None,
        description="File with the tokens that senders give (Authorization: Bearer, or x-api-key), one a"
        " line as `name:token`. Without it nothing is listened to. A sop server or gateway over HTTP takes"
        " POST /events with it too.",
    )
    queue: int = Field(
        default=1000, ge=1, le=100_000, description="Events that may wait; one more is refused with 429."
    )
    quiet_min: float = Field(
        default=30.0,
        gt=0,
        le=1440,
        description="Minutes without an event of it after which an incident is a new one.",
    )
    storm: int = Field(
        default=50,
        ge=2,
        description="Different events of one cluster within a minute that become one incident.",
    )
    forward_to: str = Field(
        default="", description="Where `eks-aiops forward` sends events: a URL of POST /events."
    )
    forward_bus: str = Field(default="", description="… or the name of an EventBridge bus.")
    forward_token_file: Path | None = Field(default=None, description="File with the token for that URL.")


class NotifySettings(BaseSettings):
    """Who is told when a run escalates; every one that is set."""

    model_config = group("AIOPS_NOTIFY_")

    slack_url_file: Path | None = Field(
        default=None, description="File with a Slack-compatible incoming webhook's URL."
    )
    pagerduty_key_file: Path | None = Field(
        default=None, description="File with the routing key of PagerDuty's Events API v2."
    )
    pagerduty_url: str = Field(
        default="https://events.pagerduty.com/v2/enqueue", description="That API's endpoint."
    )
    sns_topic: str = Field(default="", description="ARN of an SNS topic.")
    email_from: str = Field(default="", description="Sender of e-mails by SES.")
    email_to: CommaList = Field(default_factory=list, description="Their recipients, comma-separated.")
