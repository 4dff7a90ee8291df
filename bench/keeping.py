"""Raw figures of a run, one JSON file a part under `bench/data/`: the pages are made from these alone."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from aiops_shared.clock import SystemClock

DATA: Final = Path(__file__).parent / "data"
Kept = dict[str, Any]


def machine() -> dict[str, Any]:
    """What was measured on, now: system, cores, Python, load of five minutes, day."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[1], 1),
        "date": f"{SystemClock().safe_now():%Y-%m-%d}",
    }


def keep(part: str, found: Mapping[str, Any], folder: Path = DATA) -> None:
    """Write one part's figures."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"part": part, "machine": machine(), **found}, indent=1, ensure_ascii=False)
    (folder / f"{part}.json").write_text(text + "\n", encoding="utf-8")


def kept(part: str, folder: Path = DATA) -> Kept | None:
    """One part's figures as they were last written; None when it never was measured."""
    path = folder / f"{part}.json"
    found: Kept | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return found


def machines_line(parts: Iterable[Kept]) -> str:
    """One sentence: the machine of a page's parts, their days and loads from least to most."""
    of = [part["machine"] for part in parts]
    if not of:
        return "Nothing was measured yet."
    kinds = sorted({f"{one['system']}, {one['cores']} cores, Python {one['python']}" for one in of})
    dates = sorted({one["date"] for one in of})
    loads = sorted(float(one["load"]) for one in of)
    days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    busy = f"{loads[0]:g}" if loads[0] == loads[-1] else f"{loads[0]:g} to {loads[-1]:g}"
    return f"Machine: {'; '.join(kinds)}. Date: {days}. Load when a part ended (5 minutes): {busy}."
