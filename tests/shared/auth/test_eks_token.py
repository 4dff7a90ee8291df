"""The EKS token: the shape of `aws eks get-token`, for the endpoint that an STS client would use."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from aiops_shared.auth.eks_token import EksTokens, Signing, eks_token
from aiops_shared.aws import AwsClients, AwsTarget
from aiops_shared.settings import AwsSettings


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_CONFIG_FILE": "/nonexistent/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "AKIAFAKEFAKEFAKEFAKE",
        "AWS_SECRET_ACCESS_KEY": "fake-secret-worth-nothing",
    }.items():
        monkeypatch.setenv(name, value)


async def signing(region: str) -> Signing:
    credentials, url, signed_for = await AwsClients(AwsSettings()).signing(AwsTarget(region=region))
    return Signing(credentials, url, signed_for)


def url_of(token: str) -> str:
    assert token.startswith("k8s-aws-v1.")
    assert "=" not in token
    encoded = token.removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-west-2", "sts.us-west-2.amazonaws.com"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
    ],
)
async def test_the_token_is_signed_for_the_partitions_own_sts(region: str, host: str) -> None:
    url = urlsplit(url_of(eks_token(await signing(region), "shop")))
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, url.path) == ("https", host, "/")
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Credential"][0].endswith(f"/{region}/sts/aws4_request")
    assert query["X-Amz-Expires"] == ["60"]


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"])
async def test_an_endpoint_override_is_respected_as_by_the_aws_cli(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:4566")
    url = urlsplit(url_of(eks_token(await signing("us-west-2"), "shop")))
    assert (url.scheme, url.netloc) == ("http", "127.0.0.1:4566")


@pytest.mark.parametrize("session_token", ["", "fake-session-worth-nothing"])
@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:4566"])
async def test_the_token_equals_what_botocores_own_signer_makes(
    session_token: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if session_token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", session_token)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    from botocore.model import ServiceId
    from botocore.signers import RequestSigner

    clients = AwsClients(AwsSettings())
    session = clients.session(AwsTarget(region="us-west-2"))
    signer = RequestSigner(
        ServiceId("sts"), "us-west-2", "sts", "v4", session.get_credentials(), session.events
    )
    using = await signing("us-west-2")
    request = {
        "method": "GET",
        "url": f"{using.sts_url.rstrip('/')}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": "shop"},
        "context": {},
    }
    for _ in range(3):  # both are made within the same second, but for bad luck
        theirs = signer.generate_presigned_url(
            request, "GetCallerIdentity", region_name="us-west-2", expires_in=60
        )
        if url_of(eks_token(using, "shop")) == theirs:
            return
    pytest.fail("the tokens differ")


async def test_a_token_is_kept_for_ten_minutes_and_made_anew_when_it_was_refused() -> None:
    now = [0.0]
    made: list[float] = []

    async def sign_with() -> Signing:
        made.append(now[0])
        return await signing("us-west-2")

    tokens = EksTokens("shop", sign_with, monotonic=lambda: now[0])
    await tokens.token()
    now[0] = 599
    await tokens.token()
    now[0] = 600
    await tokens.token()
    await tokens.token(fresh=True)
    assert made == [0, 600, 600]


async def test_credentials_never_show_in_a_representation() -> None:
    assert "fake-secret" not in repr(await signing("us-west-2"))
