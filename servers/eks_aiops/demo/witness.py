"""What the simulated cluster itself says: its objects and its own log of requests.

A plain HTTPS client with the lab's kubeconfig; nothing of the suite's Kubernetes code is used, so that the
suite cannot vouch for itself.
"""

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import yaml

Obj = dict[str, Any]


@dataclass(frozen=True)
class Witness:
    """Looks at the simulator from outside."""

    kube: httpx.AsyncClient
    control: httpx.AsyncClient

    @classmethod
    def of(cls, environment: dict[str, str]) -> "Witness":
        """The witness of the lab that exported these variables."""
        config = yaml.safe_load(Path(environment["KUBECONFIG"]).read_text(encoding="utf-8"))
        cluster = config["clusters"][0]["cluster"]
        token = config["users"][0]["user"]["token"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        return cls(
            kube=httpx.AsyncClient(
                base_url=cluster["server"],
                verify=ssl.create_default_context(cadata=ca),
                headers={"Authorization": f"Bearer {token}"},
                timeout=20,
            ),
            control=httpx.AsyncClient(base_url=environment["AIOPS_LAB_URL"], timeout=60),
        )

    async def object(self, path: str) -> Obj | None:
        """One object or list by its API path; None when it is not there."""
        answer = await self.kube.get(path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        found: Obj = answer.json()
        return found

    async def writes(self) -> list[Obj]:
        """The mutating requests that were not dry runs, as the simulator logged them."""
        answer = await self.control.get("/requests", params={"writes": "true"})
        answer.raise_for_status()
        data = answer.json()
        found: list[Obj] = data["requests"] if isinstance(data, dict) else data
        return found

    async def reset(self, scenario: str, seed: int) -> None:
        """Build another world."""
        answer = await self.control.post("/reset", json={"scenario": scenario, "seed": seed})
        answer.raise_for_status()

    async def pass_time(self, seconds: float) -> None:
        """Let the world go on."""
        answer = await self.control.post("/time/advance", json={"seconds": seconds})
        answer.raise_for_status()

    async def close(self) -> None:
        """Close both connections."""
        with anyio.move_on_after(5, shield=True):
            await self.kube.aclose()
            await self.control.aclose()
