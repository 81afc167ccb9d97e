"""What the server says when it refuses: an RFC 9457 problem."""

from __future__ import annotations

from typing import Any, Mapping


class MortiseError(Exception):
    """A problem of the server or of the way to it.

    code: the canonical name ("NOT_FOUND"); status: the HTTP status, 0 when the server was not
    reached; hint: what to do, may be empty; problem: the whole document.
    """

    def __init__(self, problem: Mapping[str, Any], status: int = 0) -> None:
        self.problem = dict(problem)
        self.status = int(self.problem.get("status", status) or status)
        self.code = str(self.problem.get("code", "UNKNOWN"))
        self.hint = str(self.problem.get("hint", ""))
        text = str(self.problem.get("detail") or self.problem.get("title") or "The request failed.")
        super().__init__(f"{text} {self.hint}".strip())
