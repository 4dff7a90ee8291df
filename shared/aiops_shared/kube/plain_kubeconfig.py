"""A kubeconfig context that is plain: one file, a server, a CA, a token; no `kubernetes` package is needed.

That package is 250 modules (9 MB and half a second of the first call), and is needed only where a context
names a program, an identity provider or inline keys. `kubeconfig` asks here first; None means that the
package decides, and says what is wrong where something is.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiops_shared.kube.access import Access
from aiops_shared.settings import inherited

MAX_BYTES = 4_000_000
_CLUSTER = frozenset(
    {
        "server",
        "certificate-authority",
        "certificate-authority-data",
        "tls-server-name",
        "insecure-skip-tls-verify",
        "extensions",
    }
)
_USER = frozenset({"token", "extensions"})


def plain_access(path: Path | None, context: str) -> Access | None:
    """The access that a context gives, or None when it is not plain. An empty context is the current one."""
    file = path or _default()
    found = _read(file) if file else None
    if found is None or file is None:
        return None
    wanted = _named(found, "contexts", "context", context or found.get("current-context"))
    cluster = _named(found, "clusters", "cluster", wanted.get("cluster"))
    user = _named(found, "users", "user", wanted.get("user"))
    if not (cluster.keys() <= _CLUSTER and user.keys() <= _USER):
        return None
    return _access(cluster, user, file.parent)


def _default() -> Path | None:
    """The one file that KUBECONFIG names, or the usual one; None for a list of files."""
    named = inherited("KUBECONFIG").get("KUBECONFIG", "")
    if not named:
        return Path.home() / ".kube" / "config"
    return None if os.pathsep in named else Path(named)


def _read(file: Path) -> Mapping[str, Any] | None:
    import yaml

    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        found = yaml.safe_load(data) if len(data) <= MAX_BYTES else None
    except (OSError, yaml.YAMLError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _named(found: Mapping[str, Any], several: str, one: str, name: object) -> Mapping[str, Any]:
    """The entry of that name; a name that stands twice, or an entry of another shape, is not plain."""
    entries = found.get(several)
    chosen = [
        entry.get(one)
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping) and isinstance(name, str) and entry.get("name") == name
    ]
    return chosen[0] if len(chosen) == 1 and isinstance(chosen[0], Mapping) else {}


def _access(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> Access | None:
    server, token = cluster.get("server"), user.get("token")
    ca_file, ca_data = cluster.get("certificate-authority", ""), cluster.get("certificate-authority-data", "")
    tls_name = cluster.get("tls-server-name", "")
    texts = (server, token, ca_file, ca_data, tls_name)
    if not all(isinstance(each, str) for each in texts) or cluster.get("insecure-skip-tls-verify"):
        return None
    try:
        pem = base64.b64decode(ca_data, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    if not (server and token and (pem or ca_file)):
        return None
    return Access(
        server=str(server),
        ca_file=str(folder / ca_file) if ca_file and not pem else "",
        ca_data=pem,
        tls_server_name=str(tls_name),
        token=str(token).strip(),
    )
