"""A sound SOP to break in one place at a time."""

FRONT = """id: fix-it
version: 1
risk: medium
triggers: ["event.kind == 'PodState' && event.reason == 'OOMKilled'"]
target: "params.name"
params:
  name: {type: string}
  count: {type: integer, default: 3, minimum: 1}"""
LOOK = """id: look
call: eks.diagnose
with: {kind: Deployment, name: "{{ params.name }}"}
expect: has(result.findings)"""
CHANGE = """id: change
when: steps.look.ok
plan: eks.plan_workload_change
with: {action: scale, namespace: shop, name: "{{ params.name }}", replicas: "{{ params.count }}"}
verify:
  call: eks.diagnose
  with: {kind: Deployment, name: "{{ params.name }}"}
  until: "!has(result.findings)"
on_fail: undo"""
BODY = """# Fix it

## Overview
Fixes it.

## Parameters
- **name** (required): the workload
- **count** (optional, default: "3"): how many

## Steps

### 1. Look
Look at it.

**Constraints:**
- You MUST look first

{look}

### 2. Change
Change it.

**Constraints:**
- You MUST NOT delete it because it is in use

{change}

## Examples
Once.

## Troubleshooting
None known.
"""


def sop(front: str = FRONT, look: str = LOOK, change: str = CHANGE, body: str = BODY) -> str:
    """A file; each part may be another."""
    return f"---\n{front}\n---\n" + body.replace("{look}", block(look)).replace("{change}", block(change))


def block(text: str) -> str:
    """A step block."""
    return f"```yaml step\n{text}\n```" if text else ""
