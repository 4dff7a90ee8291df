"""EKS tokens as a client makes them, and everything that makes one worthless."""

import base64
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aiops_lab.aws.principals import AccessKey, Directory
from aiops_lab.identity import TOKEN_PREFIX, LabAuthenticator

STS = "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
LAB_HOST = "127.0.0.1:4566"


def presigned(key: AccessKey, *, cluster: str | None = "my-cluster", url: str = STS) -> str:
    """A pre-signed URL as `aws eks get-token` and the suite make it."""
    headers = {} if cluster is None else {"x-k8s-aws-id": cluster}
    request = AWSRequest("GET", url, headers=headers)
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    SigV4QueryAuth(credentials, "sts", "us-east-1", expires=60).add_auth(request)
    return str(request.url)


def eks_token(url: str) -> str:
    return TOKEN_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


class Moment:
    """A wall clock that a test can move."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
def directory(moment: Moment) -> Directory:
    return Directory(moment)


@pytest.fixture
def authenticator(directory: Directory) -> LabAuthenticator:
    return LabAuthenticator(directory, "my-cluster", LAB_HOST)


async def identified(authenticator: LabAuthenticator, token: str) -> str | None:
    user = await authenticator.identify(f"Bearer {token}", None)
    return user.username if user else None


async def test_an_eks_token_names_the_principal_and_its_groups(
    authenticator: LabAuthenticator, directory: Directory
) -> None:
    token = eks_token(presigned(directory.standing("aiops-planner")))
    user = await authenticator.identify(f"Bearer {token}", None)
    assert user is not None
    assert (user.username, user.groups) == ("aiops-planner", ("aiops:plan", "system:authenticated"))
    assert user.extra["arn"] == ("arn:aws:sts::111122223333:assumed-role/aiops-planner/lab",)
    assert user.extra["canonicalArn"] == ("arn:aws:iam::111122223333:role/aiops-planner",)


async def test_a_session_of_assume_role_keeps_its_session_name(
    authenticator: LabAuthenticator, directory: Directory
) -> None:
    role = "arn:aws:iam::111122223333:role/aiops-reader"
    session = directory.assume(directory.standing("lab-admin"), role, "alice-run7", 900)
    user = await authenticator.identify(f"Bearer {eks_token(presigned(session))}", None)
    assert user is not None
    assert (user.username, user.extra["sessionName"]) == ("aiops-reader", ("alice-run7",))


async def test_a_token_made_for_the_labs_own_sts_is_good(
    authenticator: LabAuthenticator, directory: Directory
) -> None:
    url = f"http://{LAB_HOST}/?Action=GetCallerIdentity&Version=2011-06-15"
    token = eks_token(presigned(directory.standing("lab-admin"), url=url))
    assert await identified(authenticator, token) == "lab-admin"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda key: presigned(key, cluster="other-cluster"), id="another cluster's token"),
        pytest.param(lambda key: presigned(key, cluster=None), id="no cluster signed"),
        pytest.param(lambda key: presigned(replace(key, secret_access_key="x")), id="guessed secret"),
        pytest.param(
            lambda key: presigned(replace(key, access_key_id="AKIANOBODY000EXAMPLE")), id="unknown key"
        ),
        pytest.param(lambda key: presigned(replace(key, session_token="y")), id="foreign session"),
        pytest.param(
            lambda key: presigned(key, url=STS.replace("sts.us-east-1.amazonaws.com", "sts.evil.example")),
            id="a host that is not AWS",
        ),
        pytest.param(
            lambda key: presigned(key, url=STS.replace("amazonaws.com", "amazonaws.com.evil.example")),
            id="a host that only looks like AWS",
        ),
        pytest.param(lambda key: presigned(key, url=STS.replace("https", "http")), id="plain http"),
        pytest.param(
            lambda key: presigned(key, url=STS.replace("GetCallerIdentity", "AssumeRole")),
            id="another action",
        ),
        pytest.param(lambda key: presigned(key, url=STS + "&DurationSeconds=900"), id="a further parameter"),
        pytest.param(lambda key: presigned(key) + "&Action=GetCallerIdentity", id="a doubled parameter"),
        pytest.param(lambda key: presigned(key).replace("X-Amz-Date=2", "X-Amz-Date=x"), id="no date"),
        pytest.param(lambda key: STS, id="not signed at all"),
        pytest.param(lambda key: "http://[", id="not a URL"),
    ],
)
async def test_a_token_with_anything_wrong_is_nobody(
    authenticator: LabAuthenticator, directory: Directory, spoil: Callable[[AccessKey], str]
) -> None:
    assert await identified(authenticator, eks_token(spoil(directory.standing("aiops-reader")))) is None


async def test_a_session_that_ran_out_is_nobody(
    authenticator: LabAuthenticator, directory: Directory, moment: Moment
) -> None:
    moment.ahead_s = -800
    role = "arn:aws:iam::111122223333:role/aiops-reader"
    session = directory.assume(directory.standing("lab-admin"), role, "short", 900)
    moment.ahead_s = 0
    token = eks_token(presigned(session))
    assert await identified(authenticator, token) == "aiops-reader"
    moment.ahead_s = 200
    assert await identified(authenticator, token) is None


@pytest.mark.parametrize("age_s", [15 * 60 + 5, -6 * 60])
async def test_a_token_lives_fifteen_minutes_and_not_before_it_is_made(
    authenticator: LabAuthenticator, directory: Directory, moment: Moment, age_s: float
) -> None:
    token = eks_token(presigned(directory.standing("aiops-reader")))
    moment.ahead_s = 14 * 60
    assert await identified(authenticator, token) == "aiops-reader"
    moment.ahead_s = age_s
    assert await identified(authenticator, token) is None


async def test_another_labs_token_is_worthless(authenticator: LabAuthenticator, moment: Moment) -> None:
    other = Directory(moment)
    assert await identified(authenticator, eks_token(presigned(other.standing("lab-admin")))) is None


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic bGFiOmxhYg==", "Bearer k8s-aws-v1.", "Bearer k8s-aws-v1.ü"],
)
async def test_a_header_without_a_usable_token_is_nobody(
    authenticator: LabAuthenticator, header: str | None
) -> None:
    assert await authenticator.identify(header, None) is None


async def test_a_kubeconfig_token_names_its_principal(authenticator: LabAuthenticator) -> None:
    user = await authenticator.identify(f"bearer {authenticator.tokens['lab-admin']}", None)
    assert user is not None
    assert "system:masters" in user.groups
    assert await identified(authenticator, authenticator.tokens["lab-admin"][:-1]) is None
    assert await identified(authenticator, quote("k8s-aws-v1." + "A" * 20_000)) is None
