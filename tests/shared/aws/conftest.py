"""A moto server of one's own, and an environment in which nothing of the developer's can leak in."""

import warnings
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAFAKEFAKEFAKEFAKE", "AWS_SECRET_ACCESS_KEY": "fake-secret-worth-nothing"}


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """moto's server on loopback."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def _no_aws_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_STS", *KEYS):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_CONFIG_FILE": "/nonexistent/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-west-2",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, moto_url: str) -> None:
    """Credentials for moto."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
