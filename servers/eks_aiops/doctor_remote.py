"""What `eks-aiops doctor` looks at where servers are reached over HTTP, and which tools are chosen.

Nothing listens here: it says what would stop a server, or make replicas differ, before one is started.
"""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiops_shared.app.toolsets import require_known, suite_tools, tools_in
from aiops_shared.errors import AiopsError
from aiops_shared.http.client import is_loopback
from aiops_shared.settings import Settings
from aiops_shared.state import Keys
from eks_aiops.finding import Finding

PEERS: Final = ("eks", "observability", "cost")


async def chosen_tools(settings: Settings) -> list[Finding]:
    """Which tools are listed."""
    require_known(settings.toolsets)
    every = frozenset(tool for tools in suite_tools().values() for tool in tools)
    listed = {tool for tool in every if not settings.tools or tool in settings.tools}
    if settings.toolsets:
        listed &= tools_in(settings.toolsets)
    says = f"{len(listed)} of {len(every)}"
    sets = ", ".join(settings.toolsets)
    return [Finding("note", "tools", f"{says}; sets: {sets}" if sets else says)]


async def remote(settings: Settings) -> list[Finding]:
    """Over HTTP: where, for whom, and whether replicas would share what they must."""
    http, issuer = settings.http, settings.auth.issuer
    local = is_loopback(http.host)
    if local and not issuer and not http.public_url:
        says = f"--http would listen on {http.host}:{http.port}, for this machine alone, without tokens"
        return [Finding("note", "HTTP", says)]
    found = [_listening(settings), *_hosts(settings), *_sharing(settings), *_peers(settings)]
    return [*found, await _issuer(settings)] if issuer else found


def _listening(settings: Settings) -> Finding:
    http = settings.http
    where = f"{http.host}:{http.port}{http.path}"
    if not settings.auth.issuer and not is_loopback(http.host):
        return Finding(
            "MISSING", "HTTP", f"{where} would be open to anybody: nothing starts", "AIOPS_AUTH_ISSUER"
        )
    return Finding(
        "ok",
        "HTTP",
        f"{where}, {'tokens of ' + settings.auth.issuer if settings.auth.issuer else 'no tokens'}",
    )


def _hosts(settings: Settings) -> list[Finding]:
    """Whether a request that names the server as its clients do is answered."""
    http = settings.http
    url = urlsplit(http.public_url)
    if not http.public_url:
        says = "none: clients cannot find out whose tokens to show, and only loopback names are answered"
        return [Finding("MISSING", "public URL", says, "AIOPS_HTTP_PUBLIC_URL=https://HOST/mcp")]
    if url.scheme != "https" and not is_loopback(url.hostname or ""):
        return [Finding("MISSING", "public URL", "tokens would travel in clear", "an https URL")]
    if url.path.rstrip("/") != http.path.rstrip("/"):
        says = f"its path is {url.path or '/'}, the endpoint's is {http.path}"
        fix = "make them equal, unless a proxy rewrites the path"
        return [Finding("MISSING", "public URL", says, fix)]
    names = ", ".join([url.hostname or "", *http.allowed_hosts])
    return [Finding("ok", "public URL", f"{http.public_url}; names answered to: {names}, and loopback")]


async def _issuer(settings: Settings) -> Finding:
    """Whether its keys can be read now."""
    from aiops_shared.remote.keys import IssuerKeys

    try:
        keys = await IssuerKeys(settings.auth).current()
    except AiopsError as error:
        return Finding(
            "MISSING", "issuer", f"{error.thing}: {error.reason}", error.hint or settings.auth.issuer
        )
    return Finding("ok", "issuer", f"{settings.auth.issuer}, {len(keys.keys)} keys")


def _sharing(settings: Settings) -> list[Finding]:
    """A store and a key file that every replica has."""
    state = settings.state
    found = []
    if state.database_url.startswith("sqlite"):
        says = "SQLite: one process on one machine; replicas need PostgreSQL"
        found.append(Finding("note", "shared state", says, "AIOPS_STATE_URL=postgresql://…"))
    else:
        found.append(Finding("ok", "shared state", "PostgreSQL: replicas may share it"))
        fix = "AIOPS_STATE_KEY_FILE, the same secret for every replica and server"
        if not state.key_path.exists():
            found.append(Finding("MISSING", "key file", f"{state.key_path} is not there", fix))
            return found
    if state.key_path.exists():
        Keys(state).derive("behalf")
        found.append(Finding("ok", "key file", f"{state.key_path} is readable, by this user alone"))
    return found


def _peers(settings: Settings) -> list[Finding]:
    """Servers that sop reaches by URL."""
    urls = {name: getattr(settings.sop, f"{name}_url") for name in PEERS}
    if not any(urls.values()):
        return []
    says = ", ".join(f"{name} at {url}" for name, url in urls.items() if url)
    token: Path | None = settings.sop.token_file
    if token is None:
        fix = "AIOPS_SOP_TOKEN_FILE; they also need this AIOPS_STATE_URL and key file"
        return [Finding("note", "sop's peers", f"{says}, without a token", fix)]
    from aiops_sop.clients.peer_places import token_of

    token_of(token)
    return [Finding("ok", "sop's peers", f"{says}; they need this AIOPS_STATE_URL and key file")]
