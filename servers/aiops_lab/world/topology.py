"""Where other pods allow or forbid a pod: topology spread and inter-pod (anti-)affinity.

After pkg/scheduler/framework/plugins/podtopologyspread and interpodaffinity; required rules only, preferences
are not played.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from aiops_lab.world.node_fit import Refusal, matches_node, tolerates
from aiops_lab.world.objects import Obj, being_deleted, labels_of, meta, selects

Namespaces = Callable[[Obj | None], set[str]]  # names of those that a selector selects
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_SPREAD = "node(s) didn't match pod topology spread constraints"


@dataclass(frozen=True)
class Surroundings:
    """The nodes, who is on them, and which namespaces a selector means."""

    nodes: list[Obj]
    pods_on: Callable[[str], list[Obj]]
    keeping_off: list[Obj]
    namespaces: Namespaces


class SpreadRules:
    """topologySpreadConstraints with DoNotSchedule."""

    def __init__(self, pod: Obj, around: Surroundings) -> None:
        self._pod = pod
        rules = pod["spec"].get("topologySpreadConstraints") or ()
        self._rules = [each for each in rules if each.get("whenUnsatisfiable") == "DoNotSchedule"]
        self._counts = [self._count(each, around) for each in self._rules]

    def _count(self, rule: Obj, around: Surroundings) -> Counter[str]:
        found: Counter[str] = Counter()
        selector, home = self._selector(rule), meta(self._pod)["namespace"]
        for node in around.nodes:
            if not self._counts_node(rule, node):
                continue
            place = labels_of(node)[rule["topologyKey"]]
            found[place] += sum(
                meta(each)["namespace"] == home
                and not being_deleted(each)
                and selects(selector, labels_of(each))
                for each in around.pods_on(meta(node)["name"])
            )
        return found

    def _counts_node(self, rule: Obj, node: Obj) -> bool:
        if any(each["topologyKey"] not in labels_of(node) for each in self._rules):
            return False
        if rule.get("nodeAffinityPolicy") != "Ignore" and not matches_node(self._pod, node):
            return False
        taints = (node["spec"].get("taints") or ()) if rule.get("nodeTaintsPolicy") == "Honor" else ()
        return all(tolerates(self._pod, each) for each in taints if each["effect"] != "PreferNoSchedule")

    def _selector(self, rule: Obj) -> Obj | None:
        selector, own = rule.get("labelSelector"), labels_of(self._pod)
        same = {key: own[key] for key in rule.get("matchLabelKeys") or () if key in own}
        if selector is None or not same:
            return selector
        return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **same}}

    def refuse(self, node: Obj) -> Refusal | None:
        """Whether the node's place already has too many."""
        for rule, counts in zip(self._rules, self._counts, strict=True):
            place = labels_of(node).get(rule["topologyKey"])
            if place is None:
                return Refusal((f"{_SPREAD} (missing required label)",))
            few = len(counts) < int(rule.get("minDomains") or 1)
            least = 0 if few else min(counts.values(), default=0)
            own = selects(self._selector(rule), labels_of(self._pod))
            if counts[place] + own - least > int(rule.get("maxSkew") or 1):
                return Refusal((_SPREAD,), final=False)
        return None


class CompanyRules:
    """Required pod affinity and anti-affinity, the pod's own and that of the pods already placed."""

    def __init__(self, pod: Obj, around: Surroundings) -> None:
        self._pod, self._around = pod, around
        self._near = terms_of(pod, "podAffinity")
        self._far = terms_of(pod, "podAntiAffinity")
        self._near_places = [self._places(term, pod) for term in self._near]
        self._far_places = [self._places(term, pod) for term in self._far]
        self._forbidden = self._forbidden_places()

    def _places(self, term: Obj, owner: Obj) -> set[str]:
        """Values of the term's topology key where a pod it means is."""
        key, found = term["topologyKey"], set[str]()
        for node in self._around.nodes:
            place = labels_of(node).get(key)
            if place is not None and place not in found:
                there = self._around.pods_on(meta(node)["name"])
                if any(self._means(term, owner, each) for each in there):
                    found.add(place)
        return found

    def _means(self, term: Obj, owner: Obj, other: Obj) -> bool:
        return meta(other)["namespace"] in self._homes(term, owner) and selects(
            term.get("labelSelector"), labels_of(other)
        )

    def _homes(self, term: Obj, owner: Obj) -> set[str]:
        named, selector = set(term.get("namespaces") or ()), term.get("namespaceSelector")
        if not named and selector is None:
            return {meta(owner)["namespace"]}
        return named | (self._around.namespaces(selector) if selector is not None else set())

    def _forbidden_places(self) -> set[tuple[str, str]]:
        labels = {meta(node)["name"]: labels_of(node) for node in self._around.nodes}
        found: set[tuple[str, str]] = set()
        for other in self._around.keeping_off:
            here = labels.get(other["spec"].get("nodeName") or "", {})
            for term in terms_of(other, "podAntiAffinity"):
                if term["topologyKey"] in here and self._means(term, other, self._pod):
                    found.add((term["topologyKey"], here[term["topologyKey"]]))
        return found

    def refuse(self, node: Obj) -> Refusal | None:
        """The three rules in the order of the real filter."""
        labels = labels_of(node)
        if not self._near_enough(labels):
            return Refusal(("node(s) didn't match pod affinity rules",))
        for term, places in zip(self._far, self._far_places, strict=True):
            if labels.get(term["topologyKey"]) in places:
                return Refusal(("node(s) didn't match pod anti-affinity rules",), final=False)
        if any(labels.get(key) == place for key, place in self._forbidden):
            return Refusal(("node(s) didn't satisfy existing pods anti-affinity rules",), final=False)
        return None

    def _near_enough(self, labels: dict[str, str]) -> bool:
        if any(term["topologyKey"] not in labels for term in self._near):
            return False
        pairs = list(zip(self._near, self._near_places, strict=True))
        if all(labels[term["topologyKey"]] in places for term, places in pairs):
            return True
        alone = not any(self._near_places)  # the first of a group that wants its own company
        return alone and all(self._means(term, self._pod, self._pod) for term in self._near)


def terms_of(pod: Obj, kind: str) -> list[Obj]:
    """The required terms of podAffinity or podAntiAffinity."""
    return list(((pod["spec"].get("affinity") or {}).get(kind) or {}).get(_REQUIRED) or ())
