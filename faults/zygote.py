"""A process with everything imported that forks the ones that are killed: a start costs milliseconds.

`python -m faults.zygote`: one JSON line in (environment, what to run, where to die), the child's pid out; its
words go to the file that the line names. The zygote itself never starts a thread, so that forking is safe.
"""

import gc
import json
import os
import sys
import threading
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory
from typing import Any

ROOMS = ("aiops_shared", "aiops_eks", "aiops_observability", "aiops_cost", "aiops_sop")
# What the suite imports only when it needs it.
LATER = (
    *("dbos", "dbos._sys_db_sqlite", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg"),
    *("botocore.session", "cedarpy", "cel_expr_python.cel", "cel_expr_python.ext.ext_math"),
    *("cel_expr_python.ext.ext_optional", "cel_expr_python.ext.ext_strings", "httpcore", "h11"),
    *("jsonschema", "anyio._backends._asyncio", "griffe", "markdown_it", "encodings.idna"),
)

ALONE_S = 30.0


def main() -> None:
    """Fork for every line, until stdin closes."""
    import faults.child  # the heavy imports, once

    _import_all()
    with TemporaryDirectory() as folder:
        faults.child.warm(Path(folder))
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(10)
    until = time.monotonic() + ALONE_S  # a native thread that was joined may still be on its way out
    while len(os.listdir("/proc/self/task")) != 1:
        if time.monotonic() > until:
            raise RuntimeError("a thread is left: forking is not safe")
        time.sleep(0.05)  # noqa: TID251  # nothing else runs in this process
    gc.freeze()
    for line in sys.stdin:
        wish: dict[str, Any] = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _be(faults.child.live, wish)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _reap()


def _import_all() -> None:
    """Everything that a replica would import later, and AWS's models as they are read from disk."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # noqa: TID251  # its thread would not survive a fork
    import botocore.loaders
    import botocore.session

    for room in map(import_module, ROOMS):
        for found in walk_packages(room.__path__, f"{room.__name__}."):
            if not found.name.endswith("__main__"):
                import_module(found.name)
    for name in LATER:
        import_module(name)
    read = cache(botocore.loaders.JSONFileLoader().load_file)
    setattr(botocore.loaders.JSONFileLoader, "load_file", lambda _, path: read(path))  # noqa: B010  # typed as fixed
    loader = botocore.session.Session().get_component("data_loader")
    loader.load_data("endpoints")
    for service in ("sts", "eks", "ssm", "ec2", "autoscaling", "cloudwatch"):
        for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
            loader.load_service_model(service, kind)


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
