"""Planted secrets of 18 kinds and lines that only look like some (F17b), made from a seed.

All values are random and belong to nobody. Every planted line comes with the part that must not be seen.
"""

import base64
import random
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass

UPPER = string.ascii_uppercase + string.digits
WORD = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


@dataclass(frozen=True)
class Planted:
    """A text and the secret in it."""

    kind: str
    text: str
    secret: str


def _of(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choices(alphabet, k=length))


def _b64(rng: random.Random, length: int) -> str:
    return base64.b64encode(rng.randbytes(length)).decode()


def _url64(rng: random.Random, length: int) -> str:
    return base64.urlsafe_b64encode(rng.randbytes(length)).decode().rstrip("=")


def password(rng: random.Random) -> str:
    """As people choose them."""
    return rng.choice(
        [
            _of(rng, WORD, 12),
            _of(rng, WORD + "!#%*+-_.~^", 16) + "9a",
            f"{rng.choice(['correct', 'horse', 'Summer'])}-{rng.randrange(10_000)}",
            _of(rng, string.ascii_lowercase, 10),
        ]
    )


def _key_id(rng: random.Random) -> str:
    return rng.choice(["AKIA", "ASIA"]) + _of(rng, UPPER, 16)


def _jwt(rng: random.Random) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"' + rng.randbytes(6).hex().encode() + b'"}')
    return f"{head.decode().rstrip('=')}.eyJ{_url64(rng, 60)}.{_url64(rng, 64)}"


def _pem(rng: random.Random) -> tuple[str, str]:
    kind = rng.choice(["RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY"])
    body = [_b64(rng, 48) for _ in range(4)]
    return f"-----BEGIN {kind}-----\n" + "\n".join(body) + f"\n-----END {kind}-----", body[2]


def _key_pair(rng: random.Random) -> tuple[str, str]:
    secret = _of(rng, WORD + "/+", 39) + "Z"
    form = rng.choice(["{id} {s}", "aws: id={id}, s={s}", '["{id}", "{s}"]', "{id}:{s}"])
    return form.format(id=_key_id(rng), s=secret), secret


def _assignment(rng: random.Random) -> tuple[str, str]:
    secret = password(rng)
    name = rng.choice(
        ["DB_PASSWORD", "REDIS_PASSWORD", "spring.datasource.password", "PGPASSWORD", "adminPwd"]
    )
    form = rng.choice(["{n}={s}", '{n}="{s}"', "{n}: {s}", "export {n}={s}", '"{n}": "{s}"', "--{n}={s}"])
    return form.format(n=name, s=secret), secret


def _named_token(rng: random.Random) -> tuple[str, str]:
    secret = _of(rng, WORD, 24) + "7x"
    name = rng.choice(
        ["api_key", "apiKey", "X-Api-Key", "client_secret", "access_token", "GITHUB_TOKEN", "token"]
    )
    form = rng.choice(
        ["{n}={s}", "{n}: {s}", '"{n}": "{s}"', "curl -H '{n}: {s}'", "retry with {n}={s} failed"]
    )
    return form.format(n=name, s=secret), secret


def _vendor(rng: random.Random) -> tuple[str, str]:
    secret = rng.choice(
        [
            f"ghp_{_of(rng, WORD, 36)}",
            f"github_pat_{_of(rng, WORD, 22)}_{_of(rng, WORD, 59)}",
            f"glpat-{_of(rng, WORD, 20)}",
            f"xoxb-{rng.randrange(10**11)}-{_of(rng, WORD, 24)}",
            f"AIza{_of(rng, WORD + '-_', 35)}",
            f"sk_live_{_of(rng, WORD, 24)}",
            f"SG.{_of(rng, WORD, 22)}.{_of(rng, WORD, 43)}",
            f"npm_{_of(rng, WORD, 36)}",
            f"glsa_{_of(rng, WORD, 32)}_{_of(rng, HEX, 8)}",
        ]
    )
    return f"pushed with {secret} to origin", secret


def _azure(rng: random.Random) -> tuple[str, str]:
    secret = _b64(rng, 64)
    return f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={secret};EndpointSuffix=core", secret


def _slack_hook(rng: random.Random) -> tuple[str, str]:
    secret = _of(rng, WORD, 24)
    return (
        f"POST https://hooks.slack.com/services/T{_of(rng, UPPER, 8)}/B{_of(rng, UPPER, 8)}/{secret} 200",
        secret,
    )


def _url(rng: random.Random) -> tuple[str, str]:
    secret = _of(rng, WORD + "-_.~!", 14) + "k1"
    scheme = rng.choice(["postgres", "postgresql+psycopg", "mysql", "https", "amqp", "mongodb+srv"])
    return f"connecting to {scheme}://app:{secret}@db.internal:5432/shop?sslmode=require", secret


def _redis(rng: random.Random) -> tuple[str, str]:
    secret = _of(rng, WORD, 20)
    return f"REDIS_URL=redis://:{secret}@cache.shop.svc:6379/0", secret


def _ado(rng: random.Random) -> tuple[str, str]:
    secret = _of(rng, WORD + "!#%", 16) + "Q2"
    return f"Server=tcp:db,1433;User ID=sa;Password={secret};Encrypt=true", secret


def _bearer(rng: random.Random) -> tuple[str, str]:
    secret = _url64(rng, 30) + "0"
    form = rng.choice(["Authorization: Bearer {s}", '"authorization":"bearer {s}"', "sent Bearer {s} to api"])
    return form.format(s=secret), secret


def _basic(rng: random.Random) -> tuple[str, str]:
    secret = base64.b64encode(f"admin:{_of(rng, WORD, 14)}".encode()).decode()
    return rng.choice(["Authorization: Basic {s}", "header Basic {s} rejected"]).format(s=secret), secret


def _kubeconfig(rng: random.Random) -> tuple[str, str]:
    key = base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----\n" + rng.randbytes(90)).decode()
    token = _url64(rng, 40) + "1"
    shape = rng.choice(["    client-key-data: {key}", "users:\n- name: ann\n  user:\n    token: {token}"])
    return shape.format(key=key, token=token), key if "{key}" in shape else token


def _k8s_data(rng: random.Random) -> tuple[str, str]:
    secret = _b64(rng, 21)
    if rng.random() < 0.5:
        return f'{{"apiVersion":"v1","data":{{"username":"YQ==","x":"{secret}"}},"kind":"Secret"}}', secret
    return f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  a: YQ==\n  x: {secret}\n", secret


def _env_pair(rng: random.Random) -> tuple[str, str]:
    secret = password(rng)
    if rng.random() < 0.5:
        return f'{{"name":"DB_PASSWORD","value":"{secret}"}}', secret
    return f"- name: SMTP_PASSWORD\n  value: {secret}\n- name: PORT\n  value: '80'", secret


def _whole(make: Callable[[random.Random], str]) -> Callable[[random.Random], tuple[str, str]]:
    def made(rng: random.Random) -> tuple[str, str]:
        secret = make(rng)
        return f"found {secret} in the log", secret

    return made


KINDS: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "aws-key-id": _whole(_key_id),
    "aws-secret-near-id": _key_pair,
    "aws-session-token": _whole(lambda rng: rng.choice(["IQoJb3JpZ2lu", "FwoGZXIvYXdz"]) + _b64(rng, 150)),
    "jwt": _whole(_jwt),
    "pem": _pem,
    "kubeconfig": _kubeconfig,
    "k8s-secret-data": _k8s_data,
    "url-password": _url,
    "redis-url": _redis,
    "ado-string": _ado,
    "bearer": _bearer,
    "basic": _basic,
    "assignment": _assignment,
    "named-token": _named_token,
    "vendor-token": _vendor,
    "azure-key": _azure,
    "slack-hook": _slack_hook,
    "env-pair": _env_pair,
}


def planted(seed: int, count: int) -> list[Planted]:
    """So many secrets, every kind about as often."""
    rng = random.Random(seed)
    kinds = list(KINDS)
    made = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        made.append(Planted(kind, *KINDS[kind](rng)))
    return made


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(bytes=rng.randbytes(16), version=4))


LOOK_ALIKES: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: f"Pulled image shop/web@sha256:{_of(rng, HEX, 64)} in 2.31s",
    lambda rng: f"request_id={_uuid(rng)} trace={_of(rng, HEX, 32)} status=200",
    lambda rng: f"assumed arn:aws:iam::{rng.randrange(10**11, 10**12)}:role/eks-node-{_of(rng, WORD, 8)}",
    lambda rng: f"secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-{_of(rng, WORD, 6)}",
    lambda rng: "        secretKeyRef: {name: db-" + _of(rng, HEX, 5) + ", key: password}",
    lambda rng: f"token count={rng.randrange(9999)} prompt tokens={rng.randrange(9999)}",
    lambda rng: f"secretName: web-tls-{_of(rng, HEX, 4)}",
    lambda rng: f"deployed commit {_of(rng, HEX, 40)} of main",
    lambda rng: f'"resourceVersion": "{rng.randrange(10**9)}", "uid": "{_uuid(rng)}"',
    lambda rng: f'MountVolume.SetUp failed for volume "cfg" : secret "db-{_of(rng, HEX, 4)}" not found',
    lambda rng: (
        f"GET https://api.shop.internal:8443/v1/orders/{rng.randrange(10**6)}?page=2 200 {rng.random():.3f}s"
    ),
    lambda rng: f"redis://cache-{rng.randrange(9)}.shop.svc:6379/0 connected",
    lambda rng: "password is required; the user must reset the password after login",
    lambda rng: (
        f"volume /var/run/secrets/kubernetes.io/serviceaccount/token mounted in {rng.randrange(99)} ms"
    ),
    lambda rng: "Authentication failed: invalid token: expired",
    lambda rng: f"eks.amazonaws.com/token-expiration: '{rng.randrange(86400)}'",
    lambda rng: f"nextToken={_of(rng, WORD, 24)} items=100",
    lambda rng: (
        f"pod web-{_of(rng, HEX, 9)}-{_of(rng, string.ascii_lowercase, 5)} key=app.kubernetes.io/name"
    ),
    lambda rng: f"cache_key=orders:{_uuid(rng)} hit=true",
    lambda rng: "Basic authentication failed; bearer authentication is preferred",
    lambda rng: "      DB_PASSWORD:  <set to the key 'password' in secret 'db'>  Optional: false",
    lambda rng: f"        checksum/secret: {_of(rng, HEX, 64)}",
    lambda rng: f"reconciled ExternalSecret: shop/db-{_of(rng, HEX, 4)}",
    lambda rng: "DB_PASSWORD: $(DB_PASSWORD_FROM_SECRET)",
    lambda rng: "env PASSWORD_FILE=/run/secrets/db PWD=/app TOKEN_URL=https://idp.shop/oauth",
    lambda rng: f"level=info msg=reconciled secret=shop/web-tls-{rng.randrange(9)} took=3ms",
    lambda rng: f"automountServiceAccountToken: false # pod-{rng.randrange(99)}",
    lambda rng: f"etag W/{_of(rng, HEX, 32)} basic-auth-realm monkey={_of(rng, WORD, 12)}",
    lambda rng: f"-----BEGIN CERTIFICATE----- {_b64(rng, 30)}",
    lambda rng: f"certificate-authority-data: {_b64(rng, 30)}",
    lambda rng: (
        f"sg-{_of(rng, HEX, 17)} eni-{_of(rng, HEX, 17)} subnet-{_of(rng, HEX, 17)} ami-{_of(rng, HEX, 17)}"
    ),
    lambda rng: f"mail from ops@shop.example about task-{_of(rng, HEX, 24)} and risk-{_of(rng, HEX, 24)}",
    lambda rng: f"PASS: TestOrders ({rng.random():.2f}s) auth=ok api_key_id={_of(rng, HEX, 8)}",
)


def look_alikes(seed: int, count: int) -> list[str]:
    """Lines without a secret, every kind about as often."""
    rng = random.Random(seed)
    return [LOOK_ALIKES[number % len(LOOK_ALIKES)](rng) for number in range(count)]
