"""CEL, Kubernetes' expression language, bounded: scan rules and the conditions of SOPs are written in it.

Called by `aiops_eks.diagnosis.scanning` and `aiops_sop.documents`. It stands here because cel-cpp gives
run-time errors as values (`1/0 > 1` is a text, and a text is true): whoever asks for a truth must ask for its
type, and that is done once. What an expression may cost is bounded too: its depth (32, the
library's), its steps (the library's budget), and in a SOP its length and what its loops may multiply.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from aiops_shared.errors import InvalidInputError

MOST_CHARS: Final = 2000
MOST_LOOPS: Final = 4  # each may multiply what the one before it made
MOST_PARTS: Final = 24  # `+` and `,` in an expression with loops: what one loop may multiply by
_LOOP = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
_TEXT = re.compile(r"""r?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_FAILS = (RuntimeError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True)
class Program:
    """A compiled expression."""

    text: str
    program: Any
    gives: str  # BOOL, INT, DYN, LIST<STRING>, …: what its compiler says

    def value(self, data: Mapping[str, Any]) -> Any:
        """What it gives for these names, as plain data. Raises InvalidInputError when it gives an error."""
        try:
            found = self.program.eval(data=dict(data))
            if found.type() == _cel().Type.ERROR:
                self._fail(found.value())
            return found.plain_value()
        except _FAILS as problem:
            self._fail(problem)

    def truth(self, data: Mapping[str, Any]) -> bool:
        """Whether it holds. Raises InvalidInputError also when it gives no true or false."""
        try:
            found = self.program.eval(data=dict(data))
            if found.type() == _cel().Type.BOOL:
                return bool(found.value())
            if found.type() == _cel().Type.ERROR:
                self._fail(found.value())
            problem: object = f"gives {found.type().name().lower()}, not true or false"
        except _FAILS as failure:
            problem = failure
        return self._fail(problem)

    def _fail(self, problem: object) -> NoReturn:
        raise InvalidInputError(f"expression {shown(self.text)}", said(problem), "correct it, or its data")


@dataclass(frozen=True)
class Language:
    """The names that an expression may use. `timestamps` are given as datetime; all else as JSON."""

    names: tuple[str, ...]
    timestamps: tuple[str, ...] = ()
    bounded: bool = False  # length and loops too: of what is not the operator's own
    extended: bool = False  # functions of texts (split, lowerAscii), math.*, and optional fields (a.?b)

    def compiled(self, text: str) -> Program:
        """Compile and type-check one expression. Raises InvalidInputError, which says what is wrong."""
        if self.bounded:
            _bound(text)
        cel = _cel()
        types = {
            **dict.fromkeys(self.names, cel.Type.DYN),
            **dict.fromkeys(self.timestamps, cel.Type.TIMESTAMP),
        }
        env = cel.NewEnv(variables=types, extensions=_extensions() if self.extended else None)
        try:
            program = env.compile(text)
        except _FAILS as problem:
            raise InvalidInputError(
                f"expression {shown(text)}", f"does not compile: {said(problem)}", "correct the expression"
            ) from None
        return Program(text, program, str(program.return_type().name()))

    def condition(self, text: str) -> Program:
        """As `compiled`, of what must give true or false."""
        program = self.compiled(text)
        if program.gives not in {"BOOL", "DYN"}:
            raise InvalidInputError(
                f"expression {shown(text)}", f"gives {program.gives.lower()}", "it must give true or false"
            )
        return program


def _bound(text: str) -> None:
    if len(text) > MOST_CHARS:
        raise InvalidInputError("expression", f"is {len(text)} characters long", f"at most {MOST_CHARS}")
    bare = without_texts(text)
    loops = len(_LOOP.findall(bare))
    if loops > MOST_LOOPS or (loops and bare.count("+") + bare.count(",") > MOST_PARTS):
        raise InvalidInputError(
            f"expression {shown(text)}",
            "loops over too much",
            f"at most {MOST_LOOPS} loops, {MOST_PARTS} parts",
        )


def without_texts(text: str) -> str:
    """The expression with every quoted text emptied: what is left are names, numbers and signs."""
    return _TEXT.sub('""', text)


def said(problem: object) -> str:
    """What the library said, on one line."""
    first = str(problem).partition("\n")[0]
    return " ".join(first.replace("INVALID_ARGUMENT: ", "").replace("ERROR: <input>:", "at ").split())[:160]


def shown(text: str) -> str:
    """An expression within a message."""
    flat = "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
    return f"`{flat[:80]}…`" if len(flat) > 80 else f"`{flat}`"


def _cel() -> Any:
    from cel_expr_python import cel  # a compiled library: loaded by the first expression (D31)

    return cel


def _extensions() -> list[Any]:
    from cel_expr_python.ext import ext_math, ext_optional, ext_strings

    return [ext_strings.ExtStrings(), ext_math.ExtMath(), ext_optional.ExtOptional()]
