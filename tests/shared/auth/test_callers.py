"""Who calls over stdio."""

import os

import pytest

from aiops_shared.auth import caller_from
from aiops_shared.settings import Settings


def test_the_settings_name_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_CALLER_NAME", "nightly-agent")
    monkeypatch.setenv("AIOPS_CALLER_KIND", "agent")
    caller = caller_from(Settings())
    assert (caller.name, caller.kind) == ("nightly-agent", "agent")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="user ids are a POSIX thing")
def test_otherwise_it_is_the_process_s_user_and_not_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import pwd

    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    caller = caller_from(Settings())
    assert (caller.name, caller.kind) == (pwd.getpwuid(os.getuid()).pw_name, "human")
