"""The suite's own command line, run for real, and what starts it from a checkout."""

import ast
import hashlib
import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from aiops_shared.settings import inherited
from tests.contracts.repository import ROOT

SERVERS: Final = ("eks", "observability", "cost", "sop", "gateway")
SEEN: Final = "SNIPPETS_SEEN"  # a file for each server that was greeted
LOGS: Final = "SNIPPETS_LOGS"  # where what stays running writes; tests/docs/sandbox.py sets it
READY_S: Final = 120.0
READY: Final = re.compile(
    r"listening on|watching|carries runs on|worker: |^export AIOPS_LAB_URL", re.MULTILINE
)
HELLO: Final = (
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    '"clientInfo":{"name":"docs","version":"1"}}}\n'
    '{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
    '{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n'
)


def load() -> None:
    """Import what commands need, once."""
    import eks_aiops.working  # noqa: F401


def run(arguments: list[str]) -> int:
    """The console script, in this process; servers that it starts come from the warm process too."""
    from eks_aiops.__main__ import main

    sys.executable = shutil.which("python") or sys.executable
    sys.argv = ["eks-aiops", *arguments]
    try:
        main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    return 0


def _fork(arguments: list[str], streams: tuple[int, int, int], others: tuple[int, ...] = ()) -> int:
    """The console script in a process of its own, with these streams and without those of others."""
    child = os.fork()
    if child:
        return child
    for number in others:
        os.close(number)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    code = run(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def greets(arguments: list[str]) -> int:
    """A server over stdio: it is greeted as a client would, lists its tools, and ends with its client.

    Once for the same arguments and settings: many lines of the pages start the same server in other ways.
    """
    given = {name: value for name, value in os.environ.items() if name.startswith(("AIOPS_", "AWS_"))}  # noqa: TID251
    told = json.dumps([arguments, given], sort_keys=True)
    seen = Path(inherited(SEEN)[SEEN]) / hashlib.sha256(told.encode()).hexdigest()
    if seen.exists():
        return 0
    code = _greeted(arguments)
    if code == 0:
        seen.touch()
    return code


def _greeted(arguments: list[str]) -> int:
    asked, answered = os.pipe(), os.pipe()
    child = _fork(arguments, (asked[0], answered[1], 2), (asked[1], answered[0]))
    os.close(asked[0])
    os.close(answered[1])
    with os.fdopen(asked[1], "w") as ask, os.fdopen(answered[0]) as answers:
        ask.write(HELLO)
        ask.flush()
        listed = next((json.loads(line) for line in answers if '"id":2' in line.replace(" ", "")), None)
    assert listed, f"eks-aiops {' '.join(arguments)} does not list its tools"
    assert listed["result"]["tools"]
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def stays(arguments: list[str]) -> int:
    """What runs until it is stopped: it says that it is ready, and runs on for the page's next lines.

    Started again in the same page it takes the first one's place.
    """
    logs = Path(inherited(LOGS)[LOGS])
    name = arguments[0]
    for older in logs.glob(f"{name}.*.log"):
        stop(older)
    log = logs / f"{name}.{time.monotonic_ns()}.log"
    with log.open("wb") as written, Path(os.devnull).open("rb") as nothing:
        child = _fork(arguments, (nothing.fileno(), written.fileno(), written.fileno()))
    log.with_suffix(".pid").write_text(str(child))
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        if READY.search(log.read_text("utf-8", "replace")) and _listens():
            return 0
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            sys.stderr.write(log.read_text("utf-8", "replace"))
            return os.waitstatus_to_exitcode(status) or 1
        time.sleep(0.05)  # noqa: TID251 - bounded; a child is waited for
    raise AssertionError(f"eks-aiops {' '.join(arguments)} is not ready: {log.read_text('utf-8', 'replace')}")


def _listens() -> bool:
    """Whether the door for events is open, where there is to be one."""
    address = inherited("AIOPS_EVENTS_LISTEN").get("AIOPS_EVENTS_LISTEN", "")
    if not address:
        return True
    host, _, port = address.rpartition(":")
    with socket.socket() as knocks:
        return knocks.connect_ex((host, int(port))) == 0


def stop(log: Path) -> None:
    """End what writes this log, and wait until it has gone."""
    child = int(log.with_suffix(".pid").read_text())
    until = time.monotonic() + READY_S
    try:
        os.kill(child, signal.SIGTERM)
        while time.monotonic() < until:
            os.kill(child, 0)
            if Path(f"/proc/{child}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z":
                return
            time.sleep(0.02)  # noqa: TID251 - bounded; nobody's child is waited for
    except (ProcessLookupError, FileNotFoundError):
        return
    raise AssertionError(f"{log.name}: does not end")


def refused(arguments: list[str]) -> int:
    """An id that stands for the reader's own: the command is known, and refuses this one by its code."""
    done = subprocess.run(
        [sys.executable, "-m", "eks_aiops", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done
    assert re.match(r"\[[a-z_]+\] ", done.stderr), done.stderr
    return 0


def eks_aiops(arguments: list[str]) -> int:
    """Our own command, for real; `demo` alone is only parsed, since CI runs it as a section of its own."""
    server = arguments[:1] and arguments[0] in SERVERS
    alone = os.path.sameopenfile(0, os.open(os.devnull, os.O_RDONLY))  # else started by a client
    if "--help" in arguments or not alone:
        return run(arguments)
    if server and "--http" not in arguments:
        return greets(arguments)
    if server or arguments[:2] == ["lab", "up"] or arguments[:1] == ["worker"]:
        return stays(arguments)
    if arguments[:1] == ["forward"] and "--for" not in arguments:
        return stays(arguments)
    if any(word.endswith(("...", "…")) for word in arguments):
        return refused(arguments)
    if arguments[:1] == ["demo"]:
        return run([*arguments, "--help"])
    return run(arguments)


def fastmcp(arguments: list[str]) -> int:
    """fastmcp's own command line against the command that it is given (tests/clients holds more)."""
    sys.argv = ["fastmcp", *arguments]
    runpy.run_module("fastmcp.cli", run_name="__main__", alter_sys=True)
    return 0


def make(arguments: list[str]) -> int:
    """Each target is one of the Makefile's; what demo and test do, CI's sections of the same names show."""
    return subprocess.run(
        ["/usr/bin/make", "--dry-run", "--silent", "-C", str(ROOT), *arguments],
        check=False,
        stdout=subprocess.DEVNULL,
    ).returncode


def python(arguments: list[str]) -> int:
    """`-m venv` makes an environment whose programs are ours; `-m` and scripts run, Strands' are read."""
    from tests.docs.programs.launchers import environment

    if arguments[:2] == ["-m", "venv"]:
        return environment(Path(arguments[-1]).expanduser())
    if arguments[:1] == ["-m"]:
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return 0
    if Path(arguments[0]).parent.name == "strands":
        return _strands(*arguments)
    return subprocess.run([sys.executable, *arguments], check=False).returncode


def _strands(script: str, *arguments: str) -> int:
    """The options are those of the script, which tests/agents plays in an environment of its own."""
    known: set[str] = set()
    for node in ast.walk(ast.parse(Path(script).read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            name = str(getattr(node.args[0], "value", ""))
            known.add(name)
            needed = any(word.arg == "required" for word in node.keywords)
            assert not needed or name in arguments, f"{script}: {name} is needed"
    assert {word for word in arguments if word.startswith("-")} <= known, arguments
    return 0
