"""`make sbom`: what a release is made of, as CycloneDX 1.6 JSON.

Versions and hashes are the lock's, licences and who needs whom are of the installed packages' own metadata.
Only what the suite and its extras need is in it; tools of development are not shipped. The same lock and the
same packages give the same bytes: the serial number is a hash of the content, and there is a time only where
SOURCE_DATE_EPOCH gives one (reproducible-builds.org).
"""

import argparse
import json
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from aiops_shared.settings import inherited
from eks_aiops.locked import LOCK, ROOT, Locked, normal, read_lock

PROJECT: Final = "eks-aiops"
EXTRAS: Final = ("cur", "lab", "otel")
PAGE: Final = ROOT / "dist" / "eks-aiops.cdx.json"
Json = dict[str, Any]
Entries = Mapping[str, tuple[Locked, ...]]  # by name; a name may have a version for each Python


@dataclass(frozen=True, slots=True)
class Need:
    """One package that another one names, and with which of its extras."""

    name: str
    extras: frozenset[str]


def bill_of_materials(lock: tuple[Locked, ...], at: datetime | None = None) -> Json:
    """The document. `at`: its time, if it is to have one."""
    entries = {name: tuple(e for e in lock if e.name == name) for name in {e.name for e in lock}}
    required, _ = _closure(frozenset(), entries)
    every, graph = _closure(frozenset(EXTRAS), entries)
    names = sorted(every - {PROJECT})
    body: Json = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            **({"timestamp": at.isoformat().replace("+00:00", "Z")} if at else {}),
            "component": _root(),
        },
        "components": [
            _component(entry, optional=name not in required) for name in names for entry in entries[name]
        ],
        "dependencies": [
            {"ref": ref, "dependsOn": [one for need in sorted(needs) for one in _refs(need, entries)]}
            for name, needs in sorted(graph.items())
            for ref in _refs(name, entries)
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "serialNumber": f"urn:uuid:{serial}",
    } | body


def _closure(extras: frozenset[str], entries: Entries) -> tuple[set[str], dict[str, set[str]]]:
    """What the project needs with these extras, and who names whom."""
    graph: dict[str, set[str]] = {}
    seen: set[Need] = set()
    waiting = [Need(PROJECT, extras)]
    while waiting:
        need = waiting.pop()
        if need in seen:
            continue
        seen.add(need)
        needs = [one for one in _needs(need) if one.name in entries or one.name == PROJECT]
        graph.setdefault(need.name, set()).update(one.name for one in needs)
        waiting.extend(needs)
    return {need.name for need in seen}, graph


def _needs(need: Need) -> Iterator[Need]:
    """What an installed package names for these extras, on any platform."""
    from packaging.requirements import Requirement

    for text in (found.requires or ()) if (found := _installed(need.name)) else ():
        wish = Requirement(text)
        if wish.marker is None or _applies(str(wish.marker), need.extras):
            yield Need(normal(wish.name), frozenset(wish.extras))


def _applies(marker: str, extras: frozenset[str]) -> bool:
    """Whether a marker may hold with these extras; conditions on platforms count as met somewhere."""
    from packaging.markers import Marker

    if "extra" not in marker:
        return True
    return any(Marker(marker).evaluate({"extra": extra}) for extra in extras)


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _component(entry: Locked, *, optional: bool) -> Json:
    found = _installed(entry.name)
    licence = _licence(found) if found else None
    return {
        "type": "library",
        "bom-ref": entry.purl,
        "name": entry.name,
        "version": entry.version,
        "scope": "optional" if optional else "required",
        **({"licenses": [licence]} if licence else {}),
        "purl": entry.purl,
        "properties": [
            *({"name": "eks-aiops:marker", "value": entry.marker} for _ in range(bool(entry.marker))),
            *({"name": "eks-aiops:lock:sha256", "value": sha256} for sha256 in sorted(entry.hashes)),
        ],
    }


def _licence(found: Distribution) -> Json | None:
    """What the package says of its licence: an expression (PEP 639), a classifier, or a short text."""
    said = found.metadata
    if expressions := said.get_all("License-Expression"):
        return {"expression": str(expressions[0])}
    for classifier in said.get_all("Classifier") or ():
        if classifier.startswith("License :: ") and classifier.count(" :: ") > 1:
            return {"license": {"name": classifier.rpartition(" :: ")[2]}}
    text = str((said.get_all("License") or [""])[0]).strip()
    return {"license": {"name": text}} if text and len(text) < 80 and "\n" not in text else None


def _root() -> Json:
    version = distribution(PROJECT).version
    ref = f"pkg:pypi/{PROJECT}@{version}"
    return {"type": "application", "bom-ref": ref, "name": PROJECT, "version": version, "purl": ref}


def _refs(name: str, entries: Entries) -> list[str]:
    return [str(_root()["bom-ref"])] if name == PROJECT else [entry.purl for entry in entries[name]]


def written(at: Path) -> Path:
    """Keep the document of this checkout."""
    epoch = inherited("SOURCE_DATE_EPOCH").get("SOURCE_DATE_EPOCH", "")
    when = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else None
    document = bill_of_materials(read_lock(LOCK.read_text(encoding="utf-8")), when)
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return at


def main() -> int:
    """Write it and say what is in it."""
    parser = argparse.ArgumentParser(prog="python -m eks_aiops.sbom", description=__doc__)
    parser.add_argument("--to", type=Path, default=PAGE)
    at = written(parser.parse_args().to)
    document = json.loads(at.read_text(encoding="utf-8"))
    required = sum(one["scope"] == "required" for one in document["components"])
    print(f"{at.name}: {required} packages needed, {len(document['components']) - required} by extras alone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
