"""Runs an async command of the command line to its exit code."""

from collections.abc import Callable, Coroutine
from typing import Any

import typer

from aiops_shared.errors import AiopsError


def run_command(what: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run it; a refusal is one line on stderr and exit code 1. Raises typer.Exit always."""
    import anyio

    try:
        code = anyio.run(what)
    except AiopsError as error:
        typer.echo(error.wire(), err=True)
        raise typer.Exit(1) from error
    raise typer.Exit(code)
