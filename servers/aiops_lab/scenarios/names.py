"""Who plays in a world: names, images and counts by seed.

Seed 0 is the cast of the scenarios' page letter by letter; any other seed draws another cast, so that nothing
outside the lab can get by with a name it has learnt.
"""

from dataclasses import dataclass
from random import Random

ACCOUNT = "111122223333"
REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
_SUBJECTS = (
    "orders", "billing", "catalog", "checkout", "ledger", "search", "shipping", "profile", "inventory",
    "pricing", "quotes", "invoices", "reviews", "sessions", "basket", "returns", "loyalty", "tickets",
    "media", "geo", "mailer", "audit", "rates", "coupons", "stock", "feeds", "import", "refunds",
)  # fmt: skip
_API_ROLES = ("api", "server", "svc", "backend", "edge")
_WORKER_ROLES = ("worker", "consumer", "runner", "processor", "jobs")
_CONFIG_ENDS = ("config", "settings", "env", "conf")
_SETTINGS = ("DB_HOST", "DATABASE_URL", "QUEUE_URL", "UPSTREAM_ADDR", "CACHE_HOST", "BROKER_HOST")
_VERSIONS = ("v2", "next", "old", "2025", "canary", "backup")


@dataclass(frozen=True, slots=True)
class Names:
    """The cast of one world."""

    seed: int
    api: str  # the workload of the crash loop stories
    api_image: str
    api_replicas: int
    config: str
    decoy_config: str
    setting: str  # the variable it cannot do without
    worker: str  # the workload of the memory stories
    worker_image: str
    worker_replicas: int
    worker_scale: float  # its memory, against the scenarios' page: limit 256 Mi, need 340 Mi
    cleaner: str  # who deletes what it should not
    others: tuple[str, ...]  # for the furniture: subjects nobody else uses

    def image(self, subject: str, tag: str) -> str:
        """An image of this account's registry."""
        return f"{REGISTRY}/{subject}:{tag}"


def cast(seed: int) -> Names:
    """The names of one seed."""
    rng = Random(f"names/{seed}")
    subjects = list(_SUBJECTS)
    if seed == 0:
        return Names(
            seed=0,
            api="api-server",
            api_image="repo/api:1.8.2",
            api_replicas=2,
            config="api-config",
            decoy_config="api-config-v2",
            setting="DB_HOST",
            worker="payment-worker",
            worker_image="repo/payment-worker:4.2.0",
            worker_replicas=1,
            worker_scale=1.0,
            cleaner="ci-cleanup",
            others=tuple(subjects),
        )
    rng.shuffle(subjects)
    api, worker, *others = subjects
    config = f"{api}-{rng.choice(_CONFIG_ENDS)}"
    return Names(
        seed=seed,
        api=f"{api}-{rng.choice(_API_ROLES)}",
        api_image=f"{REGISTRY}/{api}:{_version(rng)}",
        api_replicas=rng.randint(2, 5),
        config=config,
        decoy_config=f"{config}-{rng.choice(_VERSIONS)}",
        setting=rng.choice(_SETTINGS),
        worker=f"{worker}-{rng.choice(_WORKER_ROLES)}",
        worker_image=f"{REGISTRY}/{worker}:{_version(rng)}",
        worker_replicas=rng.randint(1, 3),
        worker_scale=rng.choice((0.5, 0.75, 1.0, 1.5, 2.0)),
        cleaner=rng.choice(("ci-cleanup", "nightly-janitor", "env-reaper", "gc-bot")),
        others=tuple(others),
    )


def _version(rng: Random) -> str:
    return f"{rng.randint(0, 9)}.{rng.randint(0, 30)}.{rng.randint(0, 12)}"
