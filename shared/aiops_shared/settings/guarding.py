"""Where state lives, what may be changed and who calls."""

from functools import cached_property
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings

from aiops_shared.settings.grouping import Autonomy, CommaList, group


class StateSettings(BaseSettings):
    """Where plans, actions, approvals and the audit live."""

    model_config = group("AIOPS_STATE_")

    dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_state_dir("eks-aiops")),
        description="Directory of the SQLite file and of the key file (made with mode 0700).",
    )
    url: str = Field(
        default="",
        description="SQLAlchemy URL shared by all servers; empty: SQLite in the state directory. "
        "PostgreSQL for more than one machine: postgresql+psycopg://…",
    )
    key_file: Path | None = Field(
        default=None,
        description="File (mode 0600) with the key that signs the audit and encrypts snapshots; "
        "empty: `state.key` in the state directory, made on first use.",
    )

    @cached_property
    def database_url(self) -> str:
        """The URL in force."""
        return self.url or f"sqlite:///{self.dir / 'state.db'}"

    @cached_property
    def key_path(self) -> Path:
        """The key file in force."""
        return self.key_file or self.dir / "state.key"


class PolicySettings(BaseSettings):
    """What may be changed, by whom, and who is asked."""

    model_config = group("AIOPS_POLICY_")

    dir: Path | None = Field(
        default=None, description="Directory of Cedar files used instead of the shipped policies."
    )
    mode: Literal["enforce", "shadow"] = Field(
        default="enforce", description="shadow: everything but the effect, audited."
    )
    autonomy_prod: Autonomy = Field(
        default="observe",
        description="What happens without a person in environments labelled prod (or not labelled).",
    )
    autonomy_staging: Autonomy = Field(default="observe", description="… in staging.")
    autonomy_dev: Autonomy = Field(default="observe", description="… in dev.")
    min_confidence: float = Field(
        default=0.8, ge=0, le=1, description="Below it, an agent's change needs a person."
    )
    approval_ttl_s: int = Field(default=1800, ge=60, le=86_400, description="Lifetime of an approval.")
    plan_ttl_s: int = Field(default=3600, ge=60, le=86_400, description="Lifetime of a plan.")
    freeze_windows: CommaList = Field(
        default_factory=list,
        description="World-time windows without writes, each `FROM/TO` in RFC 3339, comma-separated.",
    )
    time_zone: str = Field(
        default="UTC", description="Zone of `weekday` and `minute` in policies, as Asia/Seoul."
    )


class ScanSettings(BaseSettings):
    """What a scan of manifests looks for besides the built-in rules."""

    model_config = group("AIOPS_SCAN_")

    rules_dir: Path | None = Field(
        default=None,
        description="Directory of the organisation's rules, CEL in YAML files (docs/scanning.md); "
        "a broken rule stops every scan.",
    )


class CallerSettings(BaseSettings):
    """Who calls over stdio; over HTTP the token says it."""

    model_config = group("AIOPS_CALLER_")

    name: str = Field(default="", description="Name in the audit; empty: the operating system's user.")
    kind: Literal["human", "agent"] = Field(
        default="human", description="agent: never counts as a person who may approve."
    )
