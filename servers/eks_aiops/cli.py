"""`eks-aiops`: serve, try, check, approve. Nothing heavy is imported before a command needs it.

Exit codes: 0 done, 1 refused or failed (the code leads the message), 2 wrong usage.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from eks_aiops.commanding import run_command
from eks_aiops.policy_commands import policy_app
from eks_aiops.serving_commands import add_servers
from eks_aiops.state_commands import state_app

app = typer.Typer(
    help="See an EKS platform whole, find causes, change it safely. Start with: eks-aiops demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


add_servers(app)


@app.command()
def worker() -> None:
    """Carry runs of SOPs on and take events in, without an MCP client; several may share one store."""
    from eks_aiops.working import work

    run_command(work)


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Another seed plays the same story with other names.")] = 0,
    verbose: Annotated[bool, typer.Option(help="Show the whole answers.")] = False,
) -> None:
    """Play the first job on a simulated cluster: find, read, plan, approve, execute, verify, undo, audit."""
    from eks_aiops.demo.play import play

    run_command(lambda: play(seed=seed, verbose=verbose))


@app.command()
def doctor() -> None:
    """Check credentials, clusters, policy, state and clients; say the exact fix for what is missing."""
    from eks_aiops.doctor import examine

    run_command(examine)


@app.command()
def healthcheck(
    path: Annotated[str, typer.Option(help="/healthz: it lives; /readyz: it takes work.")] = "/healthz",
) -> None:
    """Ask the server of AIOPS_HTTP_HOST and AIOPS_HTTP_PORT how it is: exit code 0 or 1."""
    from eks_aiops.healthcheck import check

    raise typer.Exit(check(path))


@app.command()
def tools(
    as_json: Annotated[bool, typer.Option("--json", help="As tools/list gives them.")] = False,
    write: Annotated[bool, typer.Option(help="With the tools that AIOPS_WRITE allows.")] = True,
    gateway: Annotated[bool, typer.Option("--gateway", help="Named as the gateway lists them.")] = False,
    toolsets: Annotated[
        bool, typer.Option("--toolsets", help="The sets that --toolsets of a server takes.")
    ] = False,
    openapi: Annotated[
        str, typer.Option(metavar="GROUP", help="OpenAPI 3.0 of one group: read, write or notify.")
    ] = "",
) -> None:
    """List every server's tools: {server: [tool, ...]} with --json."""
    if toolsets:
        _show_toolsets(as_json=as_json)
        return
    from eks_aiops.catalogue import all_tools, gateway_tools

    async def show() -> int:
        found = await (gateway_tools if gateway else all_tools)(write=write)
        if openapi:
            return _show_openapi(found, openapi)
        if as_json:
            json.dump(found, sys.stdout, separators=(",", ":"))
            sys.stdout.write("\n")
            return 0
        for server, listed in found.items():
            for tool in listed:
                effect = "read" if tool["annotations"]["readOnlyHint"] else "WRITE"
                typer.echo(f"{server:6} {effect:6} {tool['name']:24} {' '.join(tool['description'].split())}")
        return 0

    run_command(show)


def _show_toolsets(*, as_json: bool) -> None:
    """Each set, what it is for, its tools by server."""
    from aiops_shared.app.toolsets import TOOLSETS

    if as_json:
        rows = {name: {"says": one.says, **one.tools} for name, one in TOOLSETS.items()}
        typer.echo(json.dumps(rows, separators=(",", ":")))
        return
    for name, one in TOOLSETS.items():
        typer.echo(f"{name:10} {one.says}")
        for server, tools in one.tools.items():
            typer.echo(f"{'':10}   {server}: {', '.join(tools)}")


def _show_openapi(found: dict[str, list[dict[str, Any]]], group: str) -> int:
    """Print one group's document; 2 for a group without tools."""
    from importlib.metadata import version

    from eks_aiops.openapi import documents

    made = documents(found, version("eks-aiops"))
    if group not in made:
        typer.echo(f"--openapi {group}: no tool is in that group; there are {', '.join(made)}", err=True)
        return 2
    typer.echo(json.dumps(made[group], indent=2, ensure_ascii=False))
    return 0


@app.command()
def approve(
    approval_id: Annotated[str, typer.Argument(help="The id that execute_plan gave; empty: list them.")] = "",
    decline: Annotated[bool, typer.Option(help="Decline instead.")] = False,
) -> None:
    """Approve a pending plan, as a person at a terminal: shows the diff, asks for a typed code."""
    from eks_aiops.approving import approve_at_terminal

    run_command(lambda: approve_at_terminal(approval_id, decline=decline))


@app.command()
def forward(
    cluster: Annotated[
        str, typer.Argument(help="Name, account/region/name or ARN; empty: the only one.")
    ] = "",
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Stop after 90s, 30m, 2h; empty: run on.")
    ] = "",
) -> None:
    """Watch one cluster and keep what changes, with old values, for 7 days.

    Kubernetes forgets events after an hour and old values at once. This command watches workloads,
    ConfigMaps, HPAs, PDBs, NetworkPolicies, Services, Ingresses, webhooks, nodes and Warning events, and
    writes each change with its old and new value into the state store (AIOPS_STATE_DIR or
    AIOPS_STATE_URL), where list_changes, list_events and diagnose find it. It only reads the cluster:
    rights to list and watch are enough. Values that look like secrets are never kept; of a Secret only
    the names of its keys are.

    Run it beside the servers, as a service or a Deployment with one replica, with the same settings. It
    may be stopped and started at any time: what happened meanwhile is found by comparing, and nothing is
    kept twice.
    """
    from eks_aiops.forwarding import duration_s
    from eks_aiops.forwarding import forward as run

    async def act() -> int:
        return await run(cluster or None, duration_s(for_) if for_ else None)

    run_command(act)


@app.command()
def autonomy() -> None:
    """Show what may happen without a person, and which SOPs have earned mode auto in production."""
    from eks_aiops.autonomy_command import show

    run_command(show)


@app.command()
def drill(
    seed: Annotated[int, typer.Option(help="Another seed plays the same drill with other names.")] = 0,
) -> None:
    """Try the guardrails in force in a simulated cluster of its own; keep the result in the state store.

    The policies are yours (AIOPS_POLICY_DIR) and so is the store that keeps the result; the cluster, the
    state and the people of the drill are made up. Exit code 1: something unsafe was let through.
    """
    try:
        from eks_aiops.drilling.play import play
    except ImportError as error:
        typer.echo("the drill needs the lab: pip install 'eks-aiops[lab]'", err=True)
        raise typer.Exit(1) from error

    run_command(lambda: play(seed=seed))


@app.command()
def codify(
    caller: Annotated[str, typer.Option(help="Who did it, as the audit names them.")],
    since: Annotated[str, typer.Option(help="From: -2h, -1d or RFC 3339; the journal keeps 7 days.")],
    name: Annotated[str, typer.Option(help="Id of the new SOP, as free-disk-on-nodes.")],
    until: Annotated[str, typer.Option(help="To; empty: now.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where to; empty: NAME.sop.md here.")] = None,
) -> None:
    """Write down what somebody did as the draft of a SOP: reads, changes that stayed, their checks."""
    from eks_aiops.codify_command import codify as run

    run_command(lambda: run(caller, since, until, name, out))


@app.command()
def report(
    kind: Annotated[str, typer.Argument(help="maturity, roi, noise or ops.")],
    out: Annotated[Path, typer.Option(help="Directory for the Markdown and HTML files.")] = Path(),
    period: Annotated[str, typer.Option(help="30d, 2026-10 or FROM..TO.")] = "",
    baseline: Annotated[str, typer.Option(help="The period before; empty: an equal one.")] = "",
    audience: Annotated[str, typer.Option(help="ops, dev or executive.")] = "ops",
    cluster: Annotated[str, typer.Option(help="Name or glob; empty: the only one, or the account.")] = "",
    rate: Annotated[list[str] | None, typer.Option(help="roi in money: NAME=NUMBER, repeated.")] = None,
) -> None:
    """Write a report as Markdown and as one HTML file with pictures; every number says where it is from."""
    from eks_aiops.report_command import write

    asked = {"kind": kind, "period": period, "baseline": baseline, "audience": audience, "cluster": cluster}
    run_command(lambda: write({**asked, "rates": rate or []}, out))


@app.command()
def generate(
    workload: Annotated[str, typer.Argument(help="As shop or deployment/shop.")],
    kinds: Annotated[
        list[str],
        typer.Argument(help="resources, hpa, hpa_schedule, nodepool, placeholder, alarms, spec."),
    ],
    namespace: Annotated[str, typer.Option(help="Its namespace.")],
    out: Annotated[Path, typer.Option(help="Directory for the files.")] = Path(),
    cluster: Annotated[str, typer.Option(help="Name, account/region/name or ARN.")] = "",
) -> None:
    """Write a workload's configuration from its measured use, each number with its reason."""
    from eks_aiops.generating import generate as run

    asked = {"workload": workload, "kinds": kinds, "namespace": namespace, "cluster": cluster}
    run_command(lambda: run(asked, out))


audit_app = typer.Typer(
    help="The audit: who did what, under which rule, with which outcome.", no_args_is_help=True
)
app.add_typer(audit_app, name="audit")
freeze_app = typer.Typer(
    help="The kill switch: stop every write, everywhere on this store.", no_args_is_help=True
)
app.add_typer(freeze_app, name="freeze")
app.add_typer(policy_app, name="policy")
app.add_typer(state_app, name="state")


sops_app = typer.Typer(help="SOPs: check, list, play and export them.", no_args_is_help=True)
app.add_typer(sops_app, name="sops")


@sops_app.command("lint")
def sops_lint(files: Annotated[list[Path], typer.Argument(help="*.sop.md")]) -> None:
    """Check SOP files: prints file:line: message; exit code 1 when there is a fault."""
    from eks_aiops.sops_command import lint_files

    run_command(lambda: lint_files(files))


@sops_app.command("list")
def sops_list() -> None:
    """List the SOPs that are loaded, and the broken ones with why."""
    from eks_aiops.sops_command import list_sops

    run_command(list_sops)


@sops_app.command("test")
def sops_test(
    file: Annotated[Path, typer.Argument(help="*.sop.md, or the id of a loaded one.")],
    scenario: Annotated[str, typer.Option(help="Only this story; empty: every proof of the file.")] = "",
    seed: Annotated[int, typer.Option(help="Which names, images, times.")] = 0,
) -> None:
    """Play a SOP in the simulated account, as its `proof` says; exit code 1 when it ends otherwise."""
    try:
        from eks_aiops.proving_stage import play_sop
    except ImportError as error:
        typer.echo("the lab needs its extra: pip install 'eks-aiops[lab]'", err=True)
        raise typer.Exit(1) from error

    run_command(lambda: play_sop(file, scenario, [seed]))


@sops_app.command("export")
def sops_export(
    folder: Annotated[Path, typer.Argument(help="Where to write.")],
    to: Annotated[str, typer.Option(help="skills: Agent Skills folders; kiro: steering files.")] = "skills",
) -> None:
    """Write the SOPs for hosts that load skills or steering files."""
    from eks_aiops.sops_command import export

    run_command(lambda: export(to, folder))


@audit_app.command("verify")
def audit_verify(
    anchors: Annotated[
        Path | None,
        typer.Option(help="A server's log: the heads of the chain in it show a tail that was cut off."),
    ] = None,
) -> None:
    """Check the chain; name the first record that was edited, deleted or moved."""
    from eks_aiops.auditing import verify

    run_command(lambda: verify(anchors))


@audit_app.command("show")
def audit_show(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Records, newest last.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the newest records."""
    from eks_aiops.auditing import show

    run_command(lambda: show(limit=limit, as_json=as_json))


@audit_app.command("export")
def audit_export() -> None:
    """Write every record with its mac to stdout, one JSON object a line."""
    from eks_aiops.auditing import export

    run_command(export)


@freeze_app.command("on")
def freeze_on(reason: Annotated[str, typer.Option(help="Why; shown in every refusal.")] = "") -> None:
    """Freeze: no step of any action starts until `freeze off`."""
    from eks_aiops.switching import freeze

    run_command(lambda: freeze(reason))


@freeze_app.command("off")
def freeze_off(
    scope: Annotated[
        str, typer.Option(help="As `freeze status` names it; a failed undo freezes its own.")
    ] = "all",
) -> None:
    """Lift the freeze of one scope."""
    from eks_aiops.switching import lift

    run_command(lambda: lift(scope))


@freeze_app.command("status")
def freeze_status() -> None:
    """Say whether anything is frozen, by whom and why."""
    from eks_aiops.switching import show

    run_command(show)


def _add_lab() -> None:
    """The lab's commands; the lab itself needs the extra `lab` and says so when it is missing."""
    from aiops_lab.cli import app as lab_app

    app.add_typer(lab_app, name="lab")


def run() -> None:
    """Parse the command line and do it."""
    if len(sys.argv) > 1 and sys.argv[1] in {"lab", "--help"}:
        _add_lab()
    app()
