"""A lab, the three servers that facts come from, and the investigator over them by MCP, in this process.

The sop server's own tool is the same investigator behind a schema; tests play that one too.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from aiops_lab.run import Lab
from aiops_shared.http.world_clock import make_clock
from aiops_shared.kube.pacing import RealPace
from aiops_shared.settings import PolicySettings, Settings
from aiops_sop.clients.investigating import Investigator
from aiops_sop.clients.peers import McpPeers
from aiops_sop.models.investigations import Investigation, Question
from evals.patience import patient
from evals.sop.questions import question
from tests.e2e.stage import lab_environment, settings_on
from tests.lab_fixture import running_lab
from tests.sop.stage import PREFIXES, START, _at_once, in_this_process

IDENTITY = "lab-admin"


@dataclass
class Play:
    """One lab; every story in turn. Bills are kept by the day, so a story about money gets new servers."""

    lab: Lab
    settings: Settings
    peers: McpPeers
    down: tuple[str, ...] = ()  # backends that fail in the next stories

    async def investigated(self, story: str, seed: int, asked: Question | None = None) -> Investigation:
        """The answer to a story's question, or to another one about it."""
        self.lab.reset(story, seed)
        self.lab.clock.pause()
        for backend in self.down:
            if backend == "xray":
                self.lab.fail_aws("xray", "*", code="AccessDeniedException")
            else:
                self.lab.observatory.fail(backend, status=503)
        wish = asked or Question.model_validate(question(story).arguments(seed))
        peers = self.peers
        if "bill" in wish.symptom:
            folder = Path(self.settings.state.dir) / f"{story}-{seed}"
            settings = settings_on(self.lab, folder, policy=PolicySettings())
            peers = McpPeers(settings, in_this_process(settings))
        clock = make_clock(self.settings)
        try:
            return await Investigator(peers, clock).investigate(wish)
        finally:
            await clock.aclose()
            if peers is not self.peers:
                await peers.aclose()


@asynccontextmanager
async def playing() -> AsyncIterator[Play]:
    """The suite on a lab."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patient(patch)
        patch.setattr(RealPace, "wait", _at_once)
        async with running_lab("healthy", 0, start=START) as lab:
            lab_environment(lab, patch, IDENTITY)
            for name, value in lab.export(IDENTITY).items():
                if name.startswith(PREFIXES):
                    patch.setenv(name, value)
            settings = settings_on(lab, Path(folder), policy=PolicySettings())
            peers = McpPeers(settings, in_this_process(settings))
            try:
                yield Play(lab, settings, peers)
            finally:
                await peers.aclose()
