"""`eks-aiops policy copy|check|ask`: make a bundle of your own and see what it says before it is in force.

Nothing is planned, counted, audited or reached by them.
"""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from aiops_shared.errors import AiopsError, InvalidInputError

policy_app = typer.Typer(
    help="The policy: copy the shipped rules, check yours, try a question.", no_args_is_help=True
)


@policy_app.command("copy")
def copy(folder: Annotated[Path, typer.Argument(help="A new directory, for AIOPS_POLICY_DIR.")]) -> None:
    """Copy the shipped rules, to change them or to add files beside them."""
    from aiops_shared.guardrails.policy import SHIPPED

    if folder.exists():
        typer.echo(f"{folder} is there already; name a new directory", err=True)
        raise typer.Exit(1)
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("*.cedarschema"))
    typer.echo(f"{len(list(folder.glob('*.cedar')))} files in {folder}; set AIOPS_POLICY_DIR={folder}")


@policy_app.command("check")
def check(
    folder: Annotated[Path | None, typer.Argument(help="Empty: what AIOPS_POLICY_DIR names.")] = None,
) -> None:
    """Check a bundle against the schema: name the first file that is wrong, or count its rules."""
    from aiops_shared.guardrails.policy import Policy
    from aiops_shared.settings import Settings

    settings = Settings().policy
    try:
        found = Policy(settings.model_copy(update={"dir": folder}) if folder else settings)
    except AiopsError as error:
        raise _failed(error) from error
    files = {rule.file for rule in found.rules}
    typer.echo(f"{len(found.rules)} rules in {len(files)} files, digest {found.digest[:16]}")


@policy_app.command("ask")
def ask(
    action: Annotated[str, typer.Argument(help="As scale, restart, image, apply, delete, drain.")],
    target: Annotated[str, typer.Argument(metavar="KIND/[NAMESPACE/]NAME", help="As Deployment/shop/web.")],
    fact: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, repeated.")] = None,
    env: Annotated[str, typer.Option(help="prod, staging or dev.")] = "prod",
    group: Annotated[str, typer.Option(help="API group of the kind; empty: the core group.")] = "",
    cluster: Annotated[str, typer.Option(help="Name of the cluster.")] = "shop-prod",
    caller: Annotated[str, typer.Option(help="Name of who asks.")] = "ann",
    agent: Annotated[bool, typer.Option("--agent", help="Who asks is no person.")] = False,
    at: Annotated[str, typer.Option(help="When, RFC 3339 with a zone; empty: now.")] = "",
) -> None:
    """Ask the policy in force one question about an ordinary change; print verdict, rule and advice."""
    from aiops_shared.guardrails.models import Caller
    from aiops_shared.settings import Settings
    from eks_aiops.policy_questions import answer, question

    who = Caller(name=caller, kind="agent" if agent else "human")
    try:
        asked = question(action, target, fact or [], env=env, caller=who, at=_moment(at))
        typer.echo(answer(asked.model_copy(update={"group": group, "cluster": cluster}), Settings()))
    except AiopsError as error:
        raise _failed(error) from error


def _moment(text: str) -> datetime:
    """The time that is asked about: any, or this machine's now."""
    from aiops_shared.clock import SystemClock

    if not text:
        return SystemClock().safe_now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInputError("--at", f"{text[:40]} is no time with a zone", "as 2026-11-27T18:00:00Z")
    return found


def _failed(error: AiopsError) -> typer.Exit:
    typer.echo(error.wire(), err=True)
    return typer.Exit(1)
