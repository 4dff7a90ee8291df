"""`eks-aiops lab`: start the simulated EKS account, and steer the one that runs.

Mounted by the suite's command line. Importing it costs nothing: the lab's machinery (moto, uvicorn, …)
loads inside the commands, and a missing extra is said in one line.
"""

import re
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    import httpx

    from aiops_lab.fleet import Fleet
    from aiops_lab.run import Lab, Ports

app = typer.Typer(
    name="lab",
    no_args_is_help=True,
    help="A simulated EKS account on loopback that ordinary clients talk to.\n\n"
    "Example, in two terminals:\n\n"
    "    eks-aiops lab up --scenario pod-crashloop --export lab.env\n\n"
    "    . ./lab.env && kubectl get pods -n production",
)

LabUrl = Annotated[
    str,
    typer.Option("--lab-url", envvar="AIOPS_LAB_URL", help="Where the lab runs; the export file sets it."),
]
ASK_S = 60.0
DAY_S = 86_400
EXTRA = "the lab needs its extra: pip install 'eks-aiops[lab]'"
_DELTA = re.compile(r"\+?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


def _fail(message: str) -> NoReturn:
    typer.echo(f"eks-aiops lab: {message}", err=True)
    raise typer.Exit(1)


def _load_lab() -> "tuple[type[Lab], type[Ports]]":
    try:
        from aiops_lab.run import Lab, Ports
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "aiops_lab":
            raise
        _fail(f"{EXTRA} ({error.name} is missing)")
    return Lab, Ports


@app.command()
def up(  # noqa: PLR0913 - one parameter for each option of the command
    scenario: Annotated[str, typer.Option(help="What to play; `eks-aiops lab list` names them.")] = "healthy",
    seed: Annotated[int, typer.Option(help="Same seed, same names and times.")] = 0,
    export: Annotated[Path | None, typer.Option(help="File to source, there while it runs.")] = None,
    identity: Annotated[
        str, typer.Option("--as", help="Whose rights the export gives: lab-admin, aiops-reader, …")
    ] = "lab-admin",
    host: Annotated[str, typer.Option(help="Loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65533, help="First of three ports: control, Kubernetes, AWS; 0: any.")
    ] = 0,
    clusters: Annotated[
        int, typer.Option(min=1, max=20, help="How many; several come with an operator's table.")
    ] = 1,
    prometheus: Annotated[
        str, typer.Option(help="own: the lab's PromQL; real: a Prometheus on PATH holds the last 6 h.")
    ] = "own",
) -> None:
    """Start a lab and keep it running until Ctrl-C.

    Prints lines to `source`; any client then uses the lab: kubectl, the AWS CLI, the servers of this suite.

    Example: eks-aiops lab up --scenario oom-raise-limits --export lab.env
    """
    import anyio

    lab_class, ports_class = _load_lab()
    from aiops_lab.serving import LabStartError

    try:
        ports = ports_class(control=port, kube=port + 1, aws=port + 2) if port else ports_class()
        lab: Lab | Fleet = lab_class(scenario, seed=seed, host=host, ports=ports)
        if prometheus not in ("own", "real"):
            _fail(f"--prometheus {prometheus}: own or real")
        if clusters > 1:
            if prometheus == "real":
                _fail("--prometheus real: for one cluster only")
            if host != "127.0.0.1":
                _fail("--host: several clusters listen on 127.0.0.1")
            lab = _fleet(clusters, scenario, seed, ports)
        if identity not in lab.directory.principals:
            _fail(f"--as {identity}: not known; known are {', '.join(lab.directory.principals)}")
        anyio.run(_serve, lab, identity, export, prometheus == "real")
    except LabStartError as error:
        _fail(str(error).removeprefix("lab: "))


def _fleet(clusters: int, scenario: str, seed: int, ports: "Ports") -> "Fleet":
    from aiops_lab.fleet import Fleet, usual

    return Fleet(usual(clusters, scenario), seed=seed, ports=ports)


async def _serve(lab: "Lab | Fleet", identity: str, export: Path | None, real: bool = False) -> None:
    """Run the lab until SIGINT or SIGTERM; if its machinery breaks, that error ends the command."""
    import anyio

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with lab, _real_prometheus(lab, real):
            with _exported(lab.export(identity), export):
                async with anyio.create_task_group() as group:
                    group.start_soon(lab.failed)
                    async for _ in signals:
                        break
                    group.cancel_scope.cancel()


@asynccontextmanager
async def _real_prometheus(lab: "Lab | Fleet", real: bool) -> AsyncIterator[None]:
    """A real Prometheus behind the lab's rooms; filling it takes seconds, in which the lab goes on."""
    import anyio

    from aiops_lab.fleet import Fleet
    from aiops_lab.observatory.real_prometheus import in_place_of_own

    if not real or isinstance(lab, Fleet):
        yield
        return
    with ExitStack() as closing:
        await anyio.to_thread.run_sync(closing.enter_context, in_place_of_own(lab.observatory))
        yield


@contextmanager
def _exported(environment: Mapping[str, str], path: Path | None) -> Iterator[None]:
    """Print the lines to source, and hold them in a file while the lab runs."""
    from aiops_lab.export import shell_lines, write_private

    lines = shell_lines(environment)
    typer.echo(lines, nl=False)
    try:
        if path is not None:
            write_private(path, lines)
    except OSError as error:
        _fail(f"--export {path}: {error.strerror}; choose a file in a directory that exists")
    how = f". {path}" if path is not None else "paste the lines above"
    typer.echo(f"# The lab runs. In another terminal: {how}. Ctrl-C stops it.")
    try:
        yield
    finally:
        # A later lab may have written its own lines to the same file: those stay.
        if path is not None and path.is_file() and path.read_text(encoding="utf-8") == lines:
            path.unlink()


@app.command("list")
def list_scenarios(
    trials: Annotated[bool, typer.Option("--trials", help="Also the trials of every cause")] = False,
) -> None:
    """Name the scenarios: what each shows, and the fixture it plays.

    Example: eks-aiops lab list
    """
    from aiops_lab.scenarios import SCENARIOS, STORIES

    for one in (SCENARIOS if trials else STORIES).values():
        typer.echo(f"{one.name:<28} {one.fixture:<14} {one.title}")


@app.command()
def inject(
    scenario: Annotated[str, typer.Argument(help="A name from `eks-aiops lab list`.")],
    lab_url: LabUrl = "",
) -> None:
    """Add a scenario's trouble to the running lab, whatever plays there now.

    Example: eks-aiops lab inject pod-crashloop
    """
    answer = _ask(lab_url, "POST", "/inject", {"scenario": scenario})
    typer.echo(f"{answer['scenario']} injected at {answer['now']}")


@app.command()
def reset(
    scenario: Annotated[str, typer.Option(help="What to play from now on; default: the same again.")] = "",
    seed: Annotated[int | None, typer.Option(help="New seed; default: the same.")] = None,
    lab_url: LabUrl = "",
) -> None:
    """Build the lab's world anew and forget its request logs.

    Example: eks-aiops lab reset --scenario healthy
    """
    wanted: dict[str, Any] = {"scenario": scenario} if scenario else {}
    answer = _ask(lab_url, "POST", "/reset", wanted if seed is None else wanted | {"seed": seed})
    typer.echo(f"{answer['scenario']} (seed {answer['seed']}) stands at {answer['now']}")


@app.command(context_settings={"ignore_unknown_options": True})
def clock(
    forward: Annotated[str, typer.Argument(help="How far ahead: +90s, +5m, +1h30m; empty: show only.")] = "",
    lab_url: LabUrl = "",
) -> None:
    """Show the lab's time, or play some of it at once: controllers, crashes and events included.

    Example: eks-aiops lab clock +5m
    """
    if not forward:
        typer.echo(_ask(lab_url, "GET", "/time")["now"])
        return
    seconds = _seconds(forward)
    if not 0 < seconds <= DAY_S:
        _fail(f"clock {forward}: give a time ahead such as +90s, +5m or +1h30m, at most 24 h")
    typer.echo(_ask(lab_url, "POST", "/time/advance", {"seconds": seconds})["now"])


def _seconds(text: str) -> int:
    found = _DELTA.fullmatch(text)
    parts = {name: int(value) for name, value in found.groupdict().items() if value} if found else {}
    return int(timedelta(**parts).total_seconds())


@app.command()
def requests(
    writes: Annotated[bool, typer.Option("--writes", help="Only what changed, or tried to.")] = False,
    aws: Annotated[bool, typer.Option("--aws", help="The AWS APIs' log instead of Kubernetes'.")] = False,
    lab_url: LabUrl = "",
) -> None:
    """Show what the simulated APIs were asked: the proof of what really happened.

    Example: eks-aiops lab requests --writes
    """
    if aws:
        for one in _ask(lab_url, "GET", "/aws-requests")["requests"]:
            typer.echo(f"{one['at']} {one['status']} {one['service']}:{one['operation']} {one['caller']}")
        return
    for one in _ask(lab_url, "GET", f"/requests?writes={str(writes).lower()}")["requests"]:
        dry = " (dry run)" if one["dry_run"] else ""
        typer.echo(f"{one['at']} {one['status']} {one['user']} {one['verb']} {one['path']}{dry}")


def _ask(lab_url: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Ask the running lab; every failure ends the command with one clear line."""
    import httpx

    if not lab_url:
        _fail("no lab is known here; source the file of `eks-aiops lab up --export FILE`, or give --lab-url")
    try:
        # trust_env off: a proxy of the environment must not see loopback traffic.
        with httpx.Client(base_url=lab_url, timeout=ASK_S, trust_env=False) as client:
            response = client.request(method, path, json=body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _fail(f"no lab answers at {lab_url} ({type(error).__name__}); start one with `eks-aiops lab up`")
    return _answer(lab_url, response)


def _answer(lab_url: str, response: "httpx.Response") -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        _fail(f"{lab_url} is no lab: it answered {response.status_code} without JSON")
    if response.is_error:
        _fail(str(answer.get("error", {}).get("message", response.status_code)))
    return answer


if __name__ == "__main__":
    app()
