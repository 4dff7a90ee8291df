"""Values that no honest client sends: by JSON type, by what they are an attack on.

Called by `fuzz.tools.attacks`. Texts of `bad_inputs.csv` come from `tests.attacking`, planted secrets from
the lab, so that a secret which a caller sends by mistake is looked for in all that comes out.
"""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from tests.attacking import COMMON, ROWS
from tests.observability.planting import LEAKS

HUGE: Final = 1_450_000  # just under what the door takes
LONG: Final = (201, 401, 4_097, 20_000)
NUMBERS: Final[tuple[Any, ...]] = (
    *(0, -0.0, -1, 1, 1.5, 2**31, 2**53 + 1, -(2**63), 2**64, 10**30, 10**400),
    *(1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan")),
)
TIMES: Final = (
    *("-0s", "-999999w", "999999w", "-1h/-2h", "/", "-1h/", "1h", "-1y", "now", "-١h", "1e3h", " -1h "),
    *("2026-11-22T03:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59-14:00", "2026-02-30", "2026-W01-1", "20261122T030000Z", "2026-11-22T24:00:00Z"),
    *("2026-11-20T10:00:00Z", "2026-11-22T03:00:00+99:99", "1e400", "2026-10", "2026-10-01..2026-09-01"),
)
WORDS: Final = (
    *("*", "**", "?", "[", "prod-[", "[!a]*", "a,b", ",", '["a"', '["*"]', "{", "}", '{"a":1}', "null"),
    *("true", "NaN", "Infinity", "-0", "0x10", "1e999", "9" * 400, "%s%n%x", "{0.__class__}", "${jndi:ldap}"),
    *("{{7*7}}", "{{ params.name }}", "'; DROP TABLE plans; --", "' OR 1=1", '" or vector(1) #', "<script>"),
    *(
        "=cmd|' /C calc'!A0",
        "a\tb",
        "a\x7fb",
        "\u2028",
        "\ufeff",
        "e\u0301" * 60,
        "\U0001f469\u200d\U0001f52c",
    ),
    *("\u0661\u0662", "\u212a8s", "\u0130", "ß" * 63, "A" * 253, "xn--80ak6aa92e", "con", "nul.txt", "~root"),
    *("__proto__", "constructor", "__class__", "self", "-", "--", "-rf", "+", ".", "a..b", "a//b", "/", "\\"),
    *(
        "arn:aws:eks:us-east-1:111122223333:cluster/../x",
        "arn:aws-:::::",
        "111122223333/us-east-1/*",
        "@",
        "::",
    ),
    *("resp\r\nSet-Cookie: a=b", "a\u0000", "pln_" + "x" * 20, "act_" + "-" * 20, "run_" + "_" * 20, "apr_x"),
    *('count({__name__=~".+"}) by (__name__)', "up offset 100y", "up[365d:1s]", "sum(" * 200, "{}", "-up"),
    *(
        "fields @message | limit 10000000",
        "SELECT * FROM x; DELETE",
        "* | head -1",
        "filter @m like /(a+)+$/",
    ),
    *("(a+)+$", "(.*a){30}", "[" * 300, "(?P<x", "\\", "a{1,99999}", "(?i)" * 99),
    *("a: &a [*a]", "!!python/object/apply:os.system [id]", "kind: Secret", "---\n" * 50, "- " * 200),
)
TEXTS: Final[tuple[str, ...]] = (*ROWS.values(), *COMMON.values(), *WORDS, *LEAKS)
# No tool takes an address, a path, a flag, an approval or a caller.
EXTRAS: Final[tuple[tuple[str, Any], ...]] = (
    *(("kubeconfig", "/etc/shadow"), ("path", "file:///etc/passwd"), ("output", "/etc/cron.d/x")),
    *(("endpoint_url", "http://169.254.169.254/"), ("prometheus_url", "http://127.0.0.1:10250/pods")),
    *(("headers", {"X-Grafana-URL": "https://evil.example"}), ("region", "us-west-2.evil.example/#")),
    *(("approved", True), ("approval_id", "apr_" + "a" * 20), ("caller", "anna"), ("dry_run", False)),
    *(("__proto__", {"x": 1}), ("", ""), ("\u202e", 1), ("a" * 10_000, 1), ("command", "ls; reboot")),
    *(("on_behalf_of", {"says": "{}", "mac": "x"}), ("_meta", {"x": 1}), ("self", 1), ("ctx", {})),
)


def deep(levels: int, *, lists: bool = False) -> Any:
    """An object in an object in …, or a list in a list in …"""
    made: Any = {}
    for _ in range(levels):
        made = [made] if lists else {"a": made}
    return made


def text(rng: Random) -> str:
    """A hostile text: one that is known, a long one, or letters out of every corner of Unicode."""
    drawn = rng.random()
    if drawn < 0.75:
        return rng.choice(TEXTS)
    if drawn < 0.87:
        return rng.choice("a9[({\u00e9\U0001f4a5 ") * rng.choice(LONG)
    if drawn < 0.875:
        return rng.choice("a[{") * HUGE
    return "".join(letter(rng) for _ in range(rng.randrange(1, 60)))


def letter(rng: Random) -> str:
    """One character: controls, marks of direction, halves of pairs and the far planes are as likely as a."""
    low, high = rng.choice(
        ((0, 32), (32, 127), (0x7F, 0x250), (0x2000, 0x2070), (0xD800, 0xE000), (0, 0x110000))
    )
    return chr(rng.randrange(low, high))


def mutated(good: str, rng: Random) -> str:
    """A good text with one thing wrong: cut, doubled, a letter changed or put in."""
    at = rng.randrange(len(good) + 1)
    return rng.choice(
        (
            good[:at],
            good + good,
            good[:at] + letter(rng) + good[at:],
            good[:at] + letter(rng) + good[at + 1 :],
            good.upper(),
            f" {good}",
            f"{good}\n",
            good + rng.choice(WORDS),
        )
    )


def of_no_type(json_type: str, rng: Random) -> Any:
    """A value of every JSON type but this one."""
    values: dict[str, tuple[Any, ...]] = {
        "null": (None,),
        "boolean": (True, False),
        "integer": (0, -1, 7, 10**30),
        "number": (1.5, 1e308, float("nan")),
        "string": ("x", "", "7", "true", "[1]"),
        "array": ([], [1], [[["a"]]], [None], ["x"] * 3_000),
        "object": ({}, {"$ne": 1}, {"a": [1]}, deep(60)),
    }
    others = [name for name in values if name != json_type]
    return rng.choice(values[rng.choice(others)])


def numbers(schema: dict[str, Any]) -> Iterator[Any]:
    """Round the bounds of a number, and what no number field expects."""
    for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        if bound in schema:
            yield from (schema[bound] - 1, schema[bound], schema[bound] + 1, float(schema[bound]))
    yield from NUMBERS


def bombs(rng: Random) -> Any:
    """Something deep, wide or heavy."""
    return rng.choice(
        (
            lambda: deep(rng.choice((50, 99, 101, 400))),
            lambda: deep(rng.choice((50, 400)), lists=True),
            lambda: {f"k{number}": number for number in range(5_000)},
            lambda: ["x"] * 50_000,
            lambda: "[" * 100_000,
            lambda: '{"a":' * 20_000 + "1" + "}" * 20_000,
            lambda: "a: " + "[" * 50_000,
        )
    )()
