"""Where a server is reached over HTTP, and whose tokens it takes."""

from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings

from aiops_shared.settings.grouping import CommaList, group


class HttpSettings(BaseSettings):
    """Where `--http` listens, and how much it takes."""

    model_config = group("AIOPS_HTTP_")

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; any but loopback needs AIOPS_AUTH_ISSUER, or nothing starts.",
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen on; 0: any free one.")
    path: str = Field(default="/mcp", pattern=r"^/[a-z0-9/_-]*$", description="Path of the MCP endpoint.")
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s\"\\?#]+)?$",
        description="URL of the MCP endpoint as clients know it, as https://aiops.example.com/mcp; it is the"
        " resource of the OAuth metadata and, unless AIOPS_AUTH_AUDIENCE says otherwise, the audience.",
    )
    allowed_hosts: CommaList = Field(
        default_factory=list,
        description="Names that a request's Host may have besides loopback and the public URL's;"
        " `*.` in front means any subdomain.",
    )
    allowed_origins: CommaList = Field(
        default_factory=list, description="Web origins that may call, as https://console.example.com."
    )
    max_request_bytes: int = Field(default=2_000_000, ge=1_024, description="Longest request body taken.")
    concurrency: int = Field(
        default=64, ge=1, le=10_000, description="Requests answered at once; a few more wait."
    )
    queue: int = Field(
        default=128,
        ge=0,
        le=100_000,
        description="Requests that may wait; one more gets 503 and Retry-After.",
    )
    queue_s: float = Field(default=2.0, gt=0, le=60, description="Seconds that a request waits at most.")
    caller_share: float = Field(
        default=0.75, gt=0, le=1, description="Share of those places that one caller may hold; beyond it 429."
    )
    connections: int = Field(
        default=2_000,
        ge=1,
        description="Open connections from which on requests get 503; probes are answered still.",
    )
    head_s: float = Field(
        default=10.0, gt=0, le=120, description="Seconds until a connection's or a request's head is there."
    )
    write_s: float = Field(
        default=20.0, gt=0, le=600, description="Seconds that a client may leave an answer unread."
    )
    idle_s: int = Field(default=30, ge=1, le=3_600, description="Seconds that an unused connection is kept.")
    bodies_bytes: int = Field(
        default=67_108_864,
        ge=1_024,
        description="Bytes of all request bodies held at once; beyond it 503.",
    )
    metrics_listen: str = Field(
        default="",
        description="Where /metrics is answered without a token, as 127.0.0.1:9464; empty: on the main port,"
        " with a token.",
    )
    drain_s: float = Field(
        default=25.0, ge=0, le=600, description="Seconds that requests under way have after SIGTERM."
    )

    def approvals_url(self, about: str = "", *, listening: bool = False) -> str:
        """Where people approve, "" where no address is known; `listening`: this process serves it itself."""
        known = self.public_url
        if not known and listening and self.port and self.host not in {"0.0.0.0", "::", ""}:  # noqa: S104
            host = f"[{self.host}]" if ":" in self.host else self.host
            known = f"http://{host}:{self.port}{self.path}"
        if not known:
            return ""
        url = urlsplit(known)
        before = url.path.rstrip("/").removesuffix(self.path.rstrip("/"))
        where = f"{url.scheme}://{url.netloc}{before if before != url.path.rstrip('/') else ''}/approvals"
        return f"{where}/{about}" if about else where


class AuthSettings(BaseSettings):
    """Whose tokens are taken over HTTP; empty: none, and only loopback is listened to."""

    model_config = group("AIOPS_AUTH_")

    issuer: str = Field(
        default="", description="Issuer of the JWT access tokens, as https://login.example.com/realm."
    )
    jwks_url: str = Field(default="", description="Its keys; empty: found through OpenID discovery.")
    audience: CommaList = Field(
        default_factory=list, description="Audiences that are taken; empty: AIOPS_HTTP_PUBLIC_URL."
    )
    cognito_clients: CommaList = Field(
        default_factory=list,
        description="App client ids of an Amazon Cognito pool, whose access tokens carry no audience; with it"
        " the issuer is https://cognito-idp.REGION.amazonaws.com/POOL.",
    )
    algorithms: CommaList = Field(
        default_factory=lambda: ["RS256", "ES256"], description="Signature algorithms that are taken."
    )
    scope_prefix: str = Field(
        default="",
        description="What the issuer writes before our scopes, as `eks-aiops/` for the resource server"
        " `eks-aiops` of Cognito.",
    )
    name_claim: str = Field(
        default="sub", description="Claim that names the caller in policy, limits and audit."
    )
    groups_claim: str = Field(
        default="", description="Claim with the caller's groups, for Kubernetes; empty: none are passed on."
    )
    agent_clients: CommaList = Field(
        default_factory=list,
        description="Client ids whose callers are agents: they never count as a person who may approve.",
    )
