"""A process with everything imported that forks the ones that are killed: a start costs milliseconds.

`python -m faults.zygote`: one JSON line in (environment, what to run, where to die), the child's pid out; its
words go to the file that the line names. The zygote itself never starts a thread, so that forking is safe.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Fork for every line, until stdin closes."""
    import faults.child  # the heavy imports, once

    for line in sys.stdin:
        wish: dict[str, Any] = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _be(faults.child.live, wish)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _reap()


def _be(live: Any, wish: dict[str, Any]) -> None:
    """The child's whole life."""
    for name in [name for name in os.environ if name.startswith(("AIOPS_", "AWS_"))]:  # noqa: TID251
        del os.environ[name]  # noqa: TID251
    os.environ.update(wish["environment"])  # noqa: TID251  # what a start with this environment would be
    said = os.open(Path(wish["says"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(said, 2)
    os.dup2(said, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code = 1
    try:
        live(wish)
        code = 0
    finally:
        os._exit(code)


def _reap() -> None:
    """Children that ended leave no zombie behind."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


if __name__ == "__main__":
    main()
