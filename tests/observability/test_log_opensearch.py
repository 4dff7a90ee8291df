"""How OpenSearch is reached: by password or signed, over TLS, and never without an address."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from aiops_observability.clients.log_opensearch import OpenSearch
from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import LogsSettings


async def signed(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
    assert headers["content-type"] == "application/json"
    return {"authorization": f"AWS4-HMAC-SHA256 {method} {url} {len(body)}"}


async def test_a_password_or_a_signature_goes_with_each_request(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("reader:canary-not-real\n")
    url = "https://search.example.com"
    backend = OpenSearch(LogsSettings(opensearch_url=url, opensearch_password_file=secret))
    request = await backend._request("GET", "x/_count", b"")
    assert request.headers["authorization"] == "Basic cmVhZGVyOmNhbmFyeS1ub3QtcmVhbA=="
    await backend.aclose()
    backend = OpenSearch(LogsSettings(opensearch_url=url, opensearch_signed=True), signed)
    request = await backend._request("POST", "x/_search", b"{}")
    assert request.headers["authorization"] == f"AWS4-HMAC-SHA256 POST {url}/x/_search 2"
    await backend.aclose()


async def test_without_an_address_a_file_or_tls_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match="AIOPS_LOGS_OPENSEARCH_URL"):
        OpenSearch(LogsSettings(opensearch_url=""))
    gone = LogsSettings(opensearch_url="https://a.example", opensearch_password_file=tmp_path / "none")
    with pytest.raises(NotConfiguredError, match="PASSWORD_FILE"):
        await OpenSearch(gone)._request("GET", "x", b"")
    password = tmp_path / "password"
    password.write_text("user:worth-nothing", encoding="utf-8")
    bare = LogsSettings(opensearch_url="http://a.example")
    with pytest.raises(NotConfiguredError, match="plain HTTP"):
        await OpenSearch(bare.model_copy(update={"opensearch_password_file": password}))._request(
            "GET", "x", b""
        )
    assert str((await OpenSearch(bare)._request("GET", "x", b"")).url) == "http://a.example/x"
