"""The commands that serve: `eks-aiops eks|observability|cost|sop|gateway`. Nothing heavy is imported here."""

from typing import Annotated, Any

import typer

Http = Annotated[bool, typer.Option("--http", help="Serve over streamable HTTP instead of stdio.")]
Host = Annotated[str | None, typer.Option(help="With --http: address to listen on; empty: AIOPS_HTTP_HOST.")]
Port = Annotated[int | None, typer.Option(help="With --http: port to listen on; empty: AIOPS_HTTP_PORT.")]
Toolsets = Annotated[
    str,
    typer.Option(
        metavar="SETS",
        help="Only tools of these sets, as diagnose,logs; `eks-aiops tools --toolsets` shows them."
        " Empty: AIOPS_TOOLSETS.",
    ),
]
ReadOnly = Annotated[
    bool, typer.Option("--read-only", help="Plan, never execute, whatever AIOPS_WRITE says.")
]


def _serve(server: str, **asked: Any) -> None:
    """Serve until the end; the exit code says how."""
    from eks_aiops.serving import serve

    raise typer.Exit(serve(server, **asked))


def eks(
    http: Http = False,
    host: Host = None,
    port: Port = None,
    toolsets: Toolsets = "",
    read_only: ReadOnly = False,
) -> None:
    """Serve the eks server: clusters, diagnosis, changes as plans; AIOPS_WRITE lets it execute them.

    An MCP client starts it over stdio. With --http many clients share one; off loopback that needs tokens
    (AIOPS_AUTH_ISSUER), see docs/remote.md.
    """
    _serve("eks", http=http, host=host, port=port, toolsets=toolsets, read_only=read_only)


def observability(
    http: Http = False,
    host: Host = None,
    port: Port = None,
    toolsets: Toolsets = "",
    read_only: ReadOnly = False,
) -> None:
    """Serve the observability server: metrics, logs, traces, alarms; it only reads.

    An MCP client starts it over stdio. With --http many clients share one; off loopback that needs tokens
    (AIOPS_AUTH_ISSUER), see docs/remote.md.
    """
    _serve("observability", http=http, host=host, port=port, toolsets=toolsets, read_only=read_only)


def cost(
    http: Http = False,
    host: Host = None,
    port: Port = None,
    toolsets: Toolsets = "",
    read_only: ReadOnly = False,
) -> None:
    """Serve the cost server: the bill, what moved it, savings, prices; it only reads.

    An MCP client starts it over stdio. With --http many clients share one; off loopback that needs tokens
    (AIOPS_AUTH_ISSUER), see docs/remote.md.
    """
    _serve("cost", http=http, host=host, port=port, toolsets=toolsets, read_only=read_only)


def sop(
    http: Http = False,
    host: Host = None,
    port: Port = None,
    toolsets: Toolsets = "",
    read_only: ReadOnly = False,
) -> None:
    """Serve the sop server: procedures, runs, incidents, investigations, reports.

    An MCP client starts it over stdio. With --http many clients share one; off loopback that needs tokens
    (AIOPS_AUTH_ISSUER), see docs/remote.md.
    """
    _serve("sop", http=http, host=host, port=port, toolsets=toolsets, read_only=read_only)


def gateway(
    http: Http = False,
    host: Host = None,
    port: Port = None,
    toolsets: Toolsets = "",
    read_only: ReadOnly = False,
) -> None:
    """Serve all four behind one endpoint; a tool is named by its server, as eks_diagnose.

    One entry in a client's configuration instead of four, one process instead of four. All 42 tools cost a
    client 15,300 tokens; it takes what it needs with --toolsets:

      eks-aiops gateway --toolsets diagnose,logs,metrics --read-only

      eks-aiops gateway --http --port 8000

    What each set holds: eks-aiops tools --toolsets. When which form fits: docs/gateway.md.
    """
    _serve("gateway", http=http, host=host, port=port, toolsets=toolsets, read_only=read_only)


def add_servers(app: typer.Typer) -> None:
    """Give the command line these commands."""
    for command in (eks, observability, cost, sop, gateway):
        app.command()(command)
