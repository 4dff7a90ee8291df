"""Joins the parts of event intake over one store: queue, incidents, pipeline, desk."""

import secrets
from dataclasses import dataclass

from aiops_shared.clock import Clock
from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from aiops_sop.clients.event_desk import EventDesk
from aiops_sop.clients.incident_store import IncidentStore
from aiops_sop.clients.intake import EventQueue
from aiops_sop.clients.investigating import Investigator
from aiops_sop.clients.knowledge import KnowledgeFiles
from aiops_sop.clients.pipeline import Pipeline, PipelineParts
from aiops_sop.ports import Evidence, Experience, Library, Peers, Runs, Teller


@dataclass
class Around:
    """What events need of the rest of a server. `evidence`: how facts are gathered, else by investigation."""

    settings: Settings
    clock: Clock
    store: StateStore
    lifetime: Lifetime
    peers: Peers
    library: Library
    runs: Runs
    teller: Teller
    outcomes: Experience
    evidence: Evidence | None = None


def desk_of(around: Around) -> EventDesk:
    """Everything. Opens nothing yet."""
    queue = EventQueue(around.store, around.clock, around.settings.events, f"evw_{secrets.token_hex(8)}")
    incidents = IncidentStore(around.store)
    evidence = around.evidence or Investigator(around.peers, around.clock, lambda: incidents)
    parts = PipelineParts(
        queue=queue,
        incidents=incidents,
        library=around.library,
        lore=KnowledgeFiles(around.settings),
        experience=around.outcomes,
        evidence=evidence,
        peers=around.peers,
        runs=around.runs,
        teller=around.teller,
        clock=around.clock,
        policy=around.settings.policy,
    )
    return EventDesk(queue, incidents, Pipeline(parts), around.lifetime)
