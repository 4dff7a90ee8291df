"""Incidents as the tools see them: searched, read, confirmed. Fulfils `ports.IncidentDesk`."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiops_sop.clients.incident_store import IncidentStore
from aiops_sop.clients.outcomes import Outcomes, Word
from aiops_sop.models.incidents import Incident, Past, Recorded


@dataclass(frozen=True)
class StoredIncidents:
    """Over one store."""

    incidents: IncidentStore
    outcomes: Outcomes

    async def search(self, words: str, fingerprint: str, cluster: str, limit: int) -> Sequence[Past]:
        """Earlier incidents, best match first; without words and fingerprint the newest."""
        if fingerprint:
            return await self.incidents.similar(
                fingerprint=fingerprint, text=words, cluster=cluster, limit=limit
            )
        return await self.incidents.search(words, limit, cluster)

    async def get(self, incident_id: str) -> Incident:
        """One. Raises NotFoundError."""
        return await self.incidents.get(incident_id)

    async def record(
        self, about: str, cause: str, effective: bool | None, note: str, said_by: str
    ) -> Recorded:
        """A person's word on a run or incident. Raises NotFoundError, InvalidInputError."""
        return await self.outcomes.record(Word(about, cause, effective, note, said_by))
