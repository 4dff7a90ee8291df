"""Which store of traces is asked, opened when it is first needed."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiops_observability.clients.alarm_http import AlertDoor
from aiops_observability.clients.trace_backend import TraceBackend
from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import TracesSettings

if TYPE_CHECKING:
    from aiops_shared.kube.clusters import ClusterDirectory

TIMEOUT_S = 20.0


@dataclass
class TraceStores:
    """The stores of one process."""

    settings: TracesSettings
    clusters: "ClusterDirectory"
    _open: dict[str, TraceBackend] = field(default_factory=dict)

    def order(self, source: str) -> tuple[str, ...]:
        """The stores to ask, one after the other: the one that is named, or the usual one and the others."""
        if source != "auto":
            return (source,)
        urls = {"jaeger": self.settings.jaeger_url, "tempo": self.settings.tempo_url}
        known = [*(name for name, url in urls.items() if url), "xray"]
        usual = known[0] if self.settings.source == "auto" else self.settings.source
        return tuple(dict.fromkeys([usual, *known]))

    async def open(self, cluster: str | None, source: str = "auto") -> TraceBackend:
        """The store that is meant. Raises NotConfiguredError, ClusterNotFoundError."""
        wanted = self.settings.source if source == "auto" else source
        urls = {"jaeger": self.settings.jaeger_url, "tempo": self.settings.tempo_url}
        if wanted == "auto":
            wanted = next((name for name, url in urls.items() if url), "xray")
        if wanted == "xray":
            from aiops_observability.clients.trace_xray import XRay

            return XRay(await self.clusters.eks(cluster))
        if not urls[wanted]:
            hint = f"set AIOPS_TRACES_{wanted.upper()}_URL"
            raise NotConfiguredError(f"traces of {wanted}", "it is not configured", hint)
        if wanted not in self._open:
            self._open[wanted] = self._made(wanted, urls[wanted])
        return self._open[wanted]

    def _made(self, name: str, url: str) -> TraceBackend:
        from aiops_observability.clients.trace_jaeger import Jaeger
        from aiops_observability.clients.trace_tempo import Tempo

        door = AlertDoor(
            name.capitalize(),
            url,
            setting=f"AIOPS_TRACES_{name.upper()}_URL",
            timeout_s=TIMEOUT_S,
            token_file=self.settings.token_file,
        )
        return Jaeger(door) if name == "jaeger" else Tempo(door)

    async def aclose(self) -> None:
        """Close what was opened."""
        for each in self._open.values():
            await each.aclose()
        self._open.clear()
