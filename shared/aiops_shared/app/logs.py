"""Structured log records on stderr, redacted; stdout belongs to the protocol."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from aiops_shared.app.request_ids import request_id
from aiops_shared.guardrails.redacting import escape_untrusted, redact

# Libraries print whole arguments, requests and credentials at debug; no redaction can be sure of those.
_OURS = ("aiops", "aiops_shared", "aiops_eks", "eks_aiops")
# At info the database library prints statements with their values: also words of callers, cut into pieces.
_TOLD_TOO_MUCH = ("sqlalchemy",)


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, says, request, trace of a bug.

    A record's `aiops` (`log.info("…", extra={"aiops": {…}})`) adds fields of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record, every string redacted."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "says": escape_untrusted(redact(record.getMessage())),
        }
        if request_id.get():
            line["request"] = request_id.get()
        for name, value in getattr(record, "aiops", {}).items():
            line[name] = escape_untrusted(redact(value)) if isinstance(value, str) else value
        if record.exc_info:
            line["trace"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(line).decode()


def log_to_stderr(level: str) -> None:
    """Send every logger's records through the one redacting handler; `debug` is of our own loggers only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.INFO))
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    for name in _TOLD_TOO_MUCH:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
