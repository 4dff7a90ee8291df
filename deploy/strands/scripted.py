"""The agent of agent.py with a script instead of a model: the story of a memory limit that is too low.

    python scripted.py [--url http://localhost:8000/mcp] [--command "eks-aiops gateway"]

It finds the failing pod, names the cause, plans a higher limit, lets a person approve, executes, and looks
again. Needs no model and no account; AIOPS_WRITE must be true. Prints what it did as one JSON object.
"""

import argparse
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from agent import COMMAND, prompt, tools
from strands import Agent
from strands.models.model import Model

NAMESPACE = "production"
POLLS = 100
Obj = dict[str, Any]
Step = tuple[str, Obj]


class Scripted(Model):
    """Says what a generator says; the generator is sent each tool's result."""

    def __init__(self, script: Iterator[Step]) -> None:
        self.script: Any = script
        self.number = 0
        self.heard: list[Obj] = []

    def update_config(self, **model_config: Any) -> None:
        """Nothing to configure."""

    def get_config(self) -> Obj:
        """What Strands asks of every model."""
        return {"model_id": "scripted", "context_window_limit": 200_000}

    async def structured_output(self, *given: Any, **more: Any) -> AsyncIterator[Obj]:
        """Not used."""
        raise NotImplementedError
        yield {}

    async def stream(self, messages: Any, *given: Any, **more: Any) -> AsyncIterator[Obj]:
        """The next call, or the end."""
        results = [block["toolResult"] for block in messages[-1]["content"] if "toolResult" in block]
        self.heard += results
        try:
            name, wanted = self.script.send(_data(results[-1]) if results else None)
        except StopIteration:
            yield {"messageStart": {"role": "assistant"}}
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": "done"}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn"}}
            return
        self.number += 1
        call = {"name": name, "toolUseId": f"call-{self.number}"}
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": {"toolUse": call}}}
        yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(wanted)}}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use"}}


def _data(result: Obj) -> Obj:
    """A tool's structured answer. Raises RuntimeError for an error, which ends the story."""
    if result["status"] != "success":
        raise RuntimeError(json.dumps(result["content"])[:2_000])
    found = result.get("structuredContent")
    if isinstance(found, dict):
        return found
    said: Obj = json.loads(next(block["text"] for block in result["content"] if "text" in block))
    return said


def story(told: Obj) -> Iterator[Step]:
    """Find, cause, plan, execute, wait, look again; what matters is noted in `told`."""
    yield from ()
    pods: Any = yield "eks_list_resources", {"kind": "Pod", "namespace": NAMESPACE}
    told["pods"] = pods["summary"]
    found: Any = yield "eks_diagnose", {"namespace": NAMESPACE}
    told["cause"], told["name"] = found["findings"][0]["code"], found["findings"][0]["name"]
    which = {"namespace": NAMESPACE, "name": told["name"]}
    plan: Any = yield "eks_plan_workload_change", {"action": "resources", **which}
    told["diff"] = plan["diff"]["rows"]
    started: Any = yield "eks_execute_plan", {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}
    for _ in range(POLLS):
        action: Any = yield "eks_get_action", {"action_id": started["action_id"]}
        told["state"] = action["state"]
        if action["state"] not in {"running", "undoing"}:
            break
    after: Any = yield "eks_list_resources", {"kind": "Pod", "namespace": NAMESPACE}
    told["after"] = after["summary"]


def play(url: str, command: str, says: Callable[[str], str] | None = None) -> Obj:
    """Play it; what happened."""
    told: Obj = {"asked": []}

    def yes(question: str) -> str:
        told["asked"].append(question)
        return "yes" if says is None else says(question)

    client = tools(url, command, yes)
    with client:
        model = Scripted(story(told))
        steps = prompt(client, "oom-raise-limits", {"namespace": NAMESPACE, "name": "any"})
        told["sop"] = "oom" in steps.lower()
        agent = Agent(model=model, system_prompt=steps, tools=client.list_tools_sync(), callback_handler=None)
        told["said"] = str(agent("Pods in production are not healthy: find out why and mend it")).strip()
        told["calls"] = model.number
    return told


def main() -> None:
    """Play it, print what happened."""
    parser = argparse.ArgumentParser(description="Play a repair with a scripted Strands agent.")
    parser.add_argument("--url", default="")
    parser.add_argument("--command", default=COMMAND)
    given = parser.parse_args()
    print(json.dumps(play(given.url, given.command)))  # noqa: T201  # its answer


if __name__ == "__main__":
    main()
