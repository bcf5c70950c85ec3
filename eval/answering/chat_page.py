"""The conversation of `make chat` as a page on this machine: what is said streams in, and marks are kept as votes."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from common.local_page import server
from eval.answering.chat import Side, Votes
from eval.records.judgments import MARKS

PAGE = Path(__file__).parents[1] / "pages" / "chat.html"


class Talk:
    """One conversation with one or two models."""

    def __init__(self, sides: Sequence[Side], votes: Votes, settings: dict[str, Any]) -> None:
        self.sides, self.votes, self.settings = sides, votes, settings
        self.said: list[str] = ["" for _ in sides]
        self.asked = ""
        self.kept = 0
        self._pool = ThreadPoolExecutor(len(sides))
        self._busy: list[Future[None]] = []
        self._marked = False

    def state(self) -> dict[str, Any]:
        """Return the last question and what has been said so far; an answer that failed says why.

        `whole` is a pair of answers that can be marked, and has not been.
        """
        errors = [found.exception() if found.done() else None for found in self._busy] or [None for _ in self.sides]
        busy = not all(found.done() for found in self._busy)
        return {
            "names": [side.name for side in self.sides],
            "asked": self.asked,
            "said": [f"{text}\n[{error}]" if error else text for text, error in zip(self.said, errors, strict=True)],
            "busy": busy,
            "whole": len(self.sides) == 2 and bool(self.asked) and not (busy or any(errors) or self._marked),
            "kept": self.kept,
        }

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """Put a question to all; ValueError while they still answer, and where it is empty."""
        text = str(body["text"]).strip()
        if not text or self.state()["busy"]:
            raise ValueError(text)
        self.asked, self.said, self._marked = text, ["" for _ in self.sides], False
        self._busy = [self._pool.submit(self._answer, number) for number in range(len(self.sides))]
        return self.state()

    def _answer(self, number: int) -> None:
        for piece in self.sides[number].ask(self.asked, self.settings):
            self.said[number] += piece

    def mark(self, body: dict[str, Any]) -> dict[str, Any]:
        """Keep the last pair with the vote on it; ValueError where there is no whole pair."""
        mark = body["mark"]
        if mark not in MARKS or not self.state()["whole"]:
            raise ValueError(mark)
        self.votes.keep(self.sides, mark)
        self.kept, self._marked = self.kept + 1, True
        return self.state()

    def new(self, _: Any = None) -> dict[str, Any]:
        """Start over; ValueError while they still answer."""
        if self.state()["busy"]:
            raise ValueError("busy")
        for side in self.sides:
            side.turns = []
        self.asked, self.said, self._busy = "", ["" for _ in self.sides], []
        return self.state()

    def site(self, port: int) -> ThreadingHTTPServer:
        """Return the page's server, bound and not yet running."""
        return server(PAGE, {"/state": self.state}, {"/ask": self.ask, "/mark": self.mark, "/new": self.new}, port)
