"""Clients of others that CI installs (tests/clients/packages.py)."""

import os
import subprocess

from tests.clients.packages import packages

QUIET = ("DISABLE_TELEMETRY", "DISABLE_AUTOUPDATER", "DISABLE_ERROR_REPORTING")
NOWHERE = "http://127.0.0.1:9"  # all traffic but loopback's ends here


def claude(arguments: list[str]) -> int:
    """Claude Code's own binary does it, in the page's home and without a network."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("AIOPS_", "AWS_"))}  # noqa: TID251
    quiet = dict.fromkeys((*QUIET, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"), "1")
    proxies = {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1,localhost"}
    return subprocess.run(
        [packages().claude, *arguments], env={**given, **quiet, **proxies}, check=False
    ).returncode
