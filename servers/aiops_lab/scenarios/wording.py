"""The many ways in which programs of different languages say the same thing.

Seed 0 speaks as the scenarios' page does; other seeds speak otherwise, so that a diagnosis which learnt one
sentence by heart fails.
"""

from random import Random

from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import logfmt


def missing_setting(names: Names, version: str) -> tuple[str, ...]:
    """The log of a program that stops because its setting is not there; some name the ConfigMap."""
    setting, start = names.setting, logfmt("info", f"starting {names.api}", version=version)
    hint = f"set it in configmap {names.config}"
    ways = (
        (start, logfmt("fatal", f"required setting {setting} is empty", hint=hint)),
        (
            f'{{"level":"info","msg":"boot","app":"{names.api}"}}',
            f'{{"level":"fatal","msg":"missing required environment variable {setting}"}}',
        ),
        (start, f"config: {setting} must be set (see ConfigMap {names.config})"),
        (
            "Traceback (most recent call last):",
            '  File "/app/main.py", line 41, in <module>',
            f'    host = os.environ["{setting}"]',
            f"KeyError: '{setting}'",
        ),
        (
            f"Starting {names.api} v{version}",
            f'Error: Environment variable "{setting}" is undefined',
            "    at loadConfig (/app/dist/config.js:12:9)",
            "    at Object.<anonymous> (/app/dist/index.js:3:1)",
        ),
        (
            f"INFO  [main] {names.api} {version}",
            f"FATAL [main] mandatory configuration {setting} not found, giving up",
        ),
    )
    return ways[names.seed % len(ways)]


def own_failure(names: Names, rng: Random, version: str) -> tuple[str, ...]:
    """The log of a program that fails by its own fault, whatever its configuration."""
    step, table = f"00{rng.randint(12, 98)}_add_index", rng.choice(("accounts", "entries", "items"))
    start = logfmt("info", f"starting {names.api}", version=version)
    ways = (
        (
            start,
            logfmt("error", "migration failed", step=step, table=table),
            logfmt("fatal", f"cannot start: column region of relation {table} does not exist"),
        ),
        (
            start,
            "panic: runtime error: invalid memory address or nil pointer dereference",
            "goroutine 1 [running]:",
            f"main.load(0x0, {{0x{rng.getrandbits(32):x}}})",
        ),
        (
            "Traceback (most recent call last):",
            f'  File "/app/{table}.py", line {rng.randint(20, 300)}, in load',
            "    return rows[0].total / rows[0].count",
            "ZeroDivisionError: division by zero",
        ),
        (
            f"INFO  [main] {names.api} {version}",
            f'Exception in thread "main" java.lang.IllegalStateException: duplicate bean {table}Loader',
            f"\tat com.example.{table}.Boot.main(Boot.java:{rng.randint(20, 200)})",
        ),
    )
    return ways[names.seed % len(ways)]


def loading(names: Names) -> tuple[str, str, str]:
    """What a worker says at 61, 88 and 100 per cent of its loading."""
    ways = (
        "loading model cache {}%",
        "warming index, {} of 100 segments",
        '{{"level":"info","msg":"reading snapshot","percent":{}}}',
    )
    way = ways[names.seed % len(ways)]
    return way.format(61), way.format(88), way.format(100)
