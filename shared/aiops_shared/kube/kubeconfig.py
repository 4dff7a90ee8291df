"""Credentials from files that the operator has: a kubeconfig with its contexts and exec plugins, or a pod's.

A plain context is read by `plain_kubeconfig`, any other by the `kubernetes` package (in a thread: an exec
plugin is a program). No path and no plugin ever comes from a tool's argument (threat T5). What a plugin gave
is kept for ten minutes, or until it is refused.
"""

import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio

from aiops_shared.errors import NotConfiguredError
from aiops_shared.http.answers import deadline
from aiops_shared.http.snippets import snippet
from aiops_shared.kube.access import SERVICE_ACCOUNT, Access
from aiops_shared.kube.plain_kubeconfig import plain_access
from aiops_shared.settings import inherited

KEEP_S = 600.0
LOAD_S = 30.0


class KubeConfigSource:
    """One context of the kubeconfig; an empty one is the current, an empty path what KUBECONFIG says."""

    def __init__(
        self, context: str = "", path: Path | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._context = context
        self._path = path
        self._monotonic = monotonic
        self._lock = anyio.Lock()
        self._access: Access | None = None
        self._read_at = 0.0

    async def access(self, *, fresh: bool = False) -> Access:
        """What the context says now. Raises NotConfiguredError with what is wrong with it."""
        async with self._lock:
            old = self._monotonic() - self._read_at > KEEP_S
            if self._access is None or fresh or old:
                thing = f"kubeconfig context {self._context or '(current)'}"
                with deadline(thing, LOAD_S, "its exec plugin is slow or waits for input; run it by hand"):
                    self._access = await anyio.to_thread.run_sync(self._load, thing, abandon_on_cancel=True)
                self._read_at = self._monotonic()
            return self._access

    def _load(self, thing: str) -> Access:
        if plain := plain_access(self._path, self._context):
            return plain

        # Named here, since the package remembers what KUBECONFIG was when it was loaded.
        named = str(self._path or "") or inherited("KUBECONFIG").get("KUBECONFIG")

        def read(configuration: Any) -> None:
            config: Any = import_module("kubernetes.config")
            config.load_kube_config(
                config_file=named,
                context=self._context or None,
                client_configuration=configuration,
                persist_config=False,
            )

        access = _access(thing, read, "see kubectl config get-contexts; set KUBECONFIG or AIOPS_KUBE_CONTEXT")
        if not access.token and not access.cert_file:
            reason = "it gives neither a token nor a client certificate"
            raise NotConfiguredError(thing, reason, "if it names an exec plugin, run that by hand to see why")
        return access


class InClusterSource:
    """The service account of the pod that this process runs in; its token is read anew each minute."""

    KEEP_S = 60.0

    def __init__(
        self, folder: Path = SERVICE_ACCOUNT, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._access: Access | None = None
        self._read_at = 0.0

    async def access(self, *, fresh: bool = False) -> Access:
        """The service account's access. Raises NotConfiguredError outside a pod."""
        if self._access is None or fresh or self._monotonic() - self._read_at > self.KEEP_S:
            self._access = await anyio.to_thread.run_sync(self._load)
            self._read_at = self._monotonic()
        return self._access

    def _load(self) -> Access:
        def read(configuration: Any) -> None:
            config: Any = import_module("kubernetes.config.incluster_config")
            token, ca = str(self._folder / "token"), str(self._folder / "ca.crt")
            config.InClusterConfigLoader(token, ca).load_and_set(configuration)

        return _access("in-cluster credentials", read, "mount a service account token")


def _access(thing: str, read: Callable[[Any], None], hint: str) -> Access:
    import yaml
    from kubernetes import client
    from kubernetes.config import ConfigException

    configuration = client.Configuration()
    try:
        read(configuration)
    except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError) as error:
        raise NotConfiguredError(thing, snippet(str(error)) or type(error).__name__, hint) from error
    if not configuration.verify_ssl:
        raise NotConfiguredError(thing, "insecure-skip-tls-verify is not accepted", "give the cluster's CA")
    return Access(
        server=str(configuration.host),
        ca_file=str(configuration.ssl_ca_cert or ""),
        cert_file=str(configuration.cert_file or ""),
        key_file=str(configuration.key_file or ""),
        tls_server_name=str(configuration.tls_server_name or ""),
        token=_token(configuration),
    )


def _token(configuration: Any) -> str:
    said = str(configuration.api_key.get("BearerToken") or configuration.api_key.get("authorization") or "")
    return said.split(" ", 1)[1].strip() if said[:7].lower() == "bearer " else said.strip()


async def contexts(path: Path | None = None) -> tuple[list[str], str]:
    """The names of all contexts and of the current one. Raises NotConfiguredError without a kubeconfig."""

    def read() -> tuple[list[str], str]:
        import yaml

        config: Any = import_module("kubernetes.config")
        try:
            found, current = config.list_kube_config_contexts(str(path) if path else None)
        except (config.ConfigException, yaml.YAMLError, OSError, TypeError, KeyError) as error:
            raise NotConfiguredError("kubeconfig", snippet(str(error)), "set KUBECONFIG") from error
        return [str(one.get("name")) for one in found], str((current or {}).get("name") or "")

    return await anyio.to_thread.run_sync(read)
