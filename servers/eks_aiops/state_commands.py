"""`eks-aiops state`: look after the store. Nothing heavy is imported before a command needs it."""

from pathlib import Path
from typing import Annotated

import typer

from eks_aiops.commanding import run_command

state_app = typer.Typer(help="The store: check it, copy it, throw old rows away.", no_args_is_help=True)


@state_app.command("check")
def check() -> None:
    """Say what the store holds and what is under way; exit code 1 when key or audit chain do not fit."""
    from eks_aiops.storekeeping import check as run

    run_command(run)


@state_app.command("backup")
def backup(folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Copy a SQLite store while it is in use, without its key file. PostgreSQL has pg_dump."""
    from eks_aiops.storekeeping import backup as run

    run_command(lambda: run(folder))


@state_app.command("sweep")
def sweep(
    older_than: Annotated[str, typer.Option(help="Age since it ended, in days, as 400d; 30d at least.")],
    delete: Annotated[bool, typer.Option("--delete", help="Delete; without it only count.")] = False,
) -> None:
    """Throw away plans, actions, approvals, runs and events that ended long ago. Never the audit."""
    from eks_aiops.storekeeping import sweep as run

    run_command(lambda: run(older_than, delete=delete))
