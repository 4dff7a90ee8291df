"""What may differ between two clusters that did the same: ages, identifiers, addresses, generated names."""

import json
import re

from aiops_lab.kube.store import LAB_CRDS

_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"  # the alphabet of generated names (apimachinery util/rand)
_MASKS: tuple[tuple[str, str], ...] = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
    (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "<token>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
    (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "<time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4}( UTC)?", "<time>"),
    (r'(resourceVersion"?: ?)"\d+"', r'\1"<version>"'),
    (r"https://127\.0\.0\.1:\d+", "<server>"),
    (r"\b\d{1,3}(\.\d{1,3}){3}(/\d+)?\b", "<ip>"),
    (rf"\b(web|plain)-{_SAFE}{{6,10}}-{_SAFE}{{5}}\b", r"\1-<hash>-<id>"),
    (rf"\b(agent|once|web)-{_SAFE}{{5}}\b", r"\1-<id>"),
    (rf"\b(web|plain)-{_SAFE}{{6,10}}\b", r"\1-<hash>"),
    (rf"(pod-template-hash\W+){_SAFE}{{6,10}}\b", r"\1<hash>"),
    (rf"(controller-revision-hash\W+(?:ring-)?){_SAFE}{{6,10}}\b", r"\1<hash>"),
    (rf"\b(ring|agent)-{_SAFE}{{8,10}}\b", r"\1-<hash>"),
    (r"\b(kube-api-access-)\w{5}\b", r"\1<id>"),
    (r"\bwalk-[abcd]\b", "<node>"),
    (r" \(x\d+ over \S+\)", ""),
    (r"/\S*/(LIVE|MERGED)-\d+/", r"<\1>/"),
    (r"(?m)^Waiting for .*\n", ""),  # a rollout seen on its way: how often depends on the moment
    (r"\b(endpointslice\S*/\w+)-\w{5}\b", r"\1-<id>"),
    (r"(?<![\w=.:-])(\d+[dhms])+(?![\w.-])", "<age>"),
    (r"(containerd|kwok)://\S+", "<container>"),
    (r"/\S*/logs/", "<folder>/"),
    (r"[ \t]+", " "),
    (r" ?\n", "\n"),
    (r"(?m)^(\S+) <age> (?:\d+% )?\d+Mi(?: \d+%)?$", r"\1 <usage>"),  # top: it moves with the moment
)


# The custom resources that the lab declares are no part of Kubernetes.
_DECLARED = frozenset(resource.api_version for resource in LAB_CRDS)


def _ordered_json(line: str) -> str:
    """A line that is one object (`get --raw`) with its keys in an order: JSON promises none."""
    return json.dumps(json.loads(line), sort_keys=True) if line.startswith(('{"kind', '{"apiV')) else line


def masked(text: str, *, unordered: bool = False) -> str:
    """The text with everything masked that no two clusters share; in any order, its lines sorted."""
    for pattern, instead in _MASKS:
        text = re.sub(pattern, instead, text)
    lines = [line for line in text.splitlines() if line and line not in _DECLARED]
    text = "\n".join(map(_ordered_json, lines))
    return "\n".join(sorted(set(text.splitlines()))) if unordered else text
