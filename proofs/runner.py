"""Runs the mutations: first all named tests on the tree as it is, then each mutation in a copy."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

from proofs.judging import Verdict, concerns, unproved, verdict
from proofs.mutation import Mutation
from proofs.sandbox import Sandbox

Borrow = Callable[[], AbstractContextManager[Sandbox]]
WORKERS = 2
_BASELINE_LIMIT_S = 1800.0
_MUTATION_LIMIT_S = 600.0


def proved(mutations: Sequence[Mutation], told: Callable[[Mutation, Verdict], None]) -> None:
    """Tell the verdict of each mutation as it is known; broken, where a test fails without any."""
    telling = Lock()
    with _sandboxes() as borrow:
        wrong = _baseline(sorted({test for one in mutations for test in one.tests}), borrow)

        def prove(mutation: Mutation) -> None:
            found = _before(mutation, wrong) or _alone(mutation, borrow)
            with telling:
                _say(f"{mutation.id} {found.word}: {mutation.control} ({found.because[:150]})")
                told(mutation, found)

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(prove, mutations))


def _baseline(tests: Sequence[str], borrow: Borrow) -> list[str]:
    """What is wrong with the named tests on the tree as it is; files are kept together in one process."""
    shares: list[list[str]] = [[] for _ in range(WORKERS)]
    for file in sorted({test.partition("::")[0] for test in tests}):
        min(shares, key=len).extend(test for test in tests if test.partition("::")[0] == file)
    _say(f"{len(tests)} tests on the tree as it is")

    def played(share: list[str]) -> list[str]:
        with borrow() as sandbox:
            lines = sandbox.play(share, keep_bytecode=True, limit_s=_BASELINE_LIMIT_S)
        return unproved(lines, share)

    with ThreadPoolExecutor(WORKERS) as pool:
        wrong = [words for part in pool.map(played, [share for share in shares if share]) for words in part]
    for words in wrong:
        _say(f"not a start: {words}")
    return wrong


def _before(mutation: Mutation, wrong: Sequence[str]) -> Verdict | None:
    """Broken, where one of its tests does not pass before anything is taken away."""
    for words in wrong:
        named = words.partition(": ")[0]
        if any(concerns({"test": named}, test) for test in mutation.tests) or "::" not in named:
            return Verdict("broken", f"before the mutation: {words}")
    return None


def _alone(mutation: Mutation, borrow: Borrow) -> Verdict:
    with borrow() as sandbox, sandbox.mutated(mutation.edits):
        lines = sandbox.play(mutation.tests, keep_bytecode=False, limit_s=_MUTATION_LIMIT_S)
    return verdict(lines, mutation.tests)


@contextmanager
def _sandboxes() -> Iterator[Borrow]:
    """As many copies of the tree as workers, each used by one at a time."""
    free: SimpleQueue[Sandbox] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="aiops-proofs-") as home:
        for number in range(WORKERS):
            (Path(home) / str(number)).mkdir()
            free.put(Sandbox.of_tree(Path(home) / str(number)))

        @contextmanager
        def borrow() -> Iterator[Sandbox]:
            sandbox = free.get()
            try:
                yield sandbox
            finally:
                free.put(sandbox)

        yield borrow


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
