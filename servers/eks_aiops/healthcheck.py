"""`eks-aiops healthcheck`: asks the server beside it, for engines and probes of an image without curl."""

import http.client
import sys

from aiops_shared.settings import HttpSettings

TIMEOUT_S = 3.0
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # not listened to: asked as loopback


def check(path: str, settings: HttpSettings | None = None) -> int:
    """0 when the server of AIOPS_HTTP_HOST and _PORT answers `path` with 200, else 1 and one line on stderr.

    http.client on purpose: it knows no proxy variables, which would send the question elsewhere.
    """
    settings = settings or HttpSettings()
    host = _EVERY.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"connection": "close"})
        answer = connection.getresponse()
        said = answer.read(2_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"http://{host}:{settings.port}{path}: {error or type(error).__name__}\n")
        return 1
    finally:
        connection.close()
    if answer.status != http.client.OK:
        sys.stderr.write(f"http://{host}:{settings.port}{path}: {answer.status} {said}\n")
        return 1
    return 0
