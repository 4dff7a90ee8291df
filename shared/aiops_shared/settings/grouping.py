"""How a group of settings is read from the environment."""

from typing import Annotated, Literal

from pydantic import BeforeValidator
from pydantic_settings import NoDecode, SettingsConfigDict


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


CommaList = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Autonomy = Literal["observe", "propose", "auto-safe"]


def group(prefix: str) -> SettingsConfigDict:
    """Variables that begin so; empty ones count as not given."""
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="ignore", env_ignore_empty=True)
