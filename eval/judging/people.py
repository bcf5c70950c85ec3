"""People as judges: pairs in random order, without names, one vote each; every vote is on disk before the next pair."""

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from common.files import sha256_of
from eval.records.folder import Folder
from eval.records.judgments import VOTE, Judgment, Pairing, Verdict, winner

PAGE = Path(__file__).parents[1] / "pages" / "annotate.html"
STYLE = Path(__file__).parents[1] / "pages" / "style.css"
VOTES: dict[str, Verdict] = {"1": "better", "2": "worse", "=": "equal"}
LONGEST_BODY = 1000


class Ballot:
    """The pairs that one person judges, in an order that depends on the person, and the votes so far."""

    def __init__(self, folder: Folder, judge: str, pairings: list[Pairing], language: str) -> None:
        self.folder, self.judge, self.language = folder, judge, language
        self.pairings = _shuffled(pairings, judge)
        number_of = {(p.question.id, p.first.who, p.second.who, p.sha256): n for n, p in enumerate(self.pairings)}
        self.votes: dict[int, Judgment] = {}  # in the order they were cast
        self._others: list[Judgment] = []  # on pairs that are not shown now: of contestants left out, or changed since
        for row in folder.all_judgments.get(judge, []):
            number = number_of.get((row.id, row.first, row.second, row.pair_sha256))
            if number is None:
                self._others.append(row)
            else:
                self.votes[number] = row
        self._lock = Lock()

    def state(self) -> dict[str, Any]:
        """Return what the page shows: the first pair without a vote, and nothing that tells who wrote what."""
        left = [number for number in range(len(self.pairings)) if number not in self.votes]
        shown: dict[str, Any] = {"done": len(self.votes), "total": len(self.pairings), "language": self.language}
        if left:
            pairing = self.pairings[left[0]]
            shown["pair"] = {
                "number": left[0],
                "question": pairing.question.text,
                "reference": pairing.question.reference,
                "answers": [pairing.first.answer, pairing.second.answer],
            }
        return shown

    def vote(self, number: int, vote: str) -> None:
        """Count a vote ("1", "2" or "=") for the answers as shown, and keep it."""
        pairing = self.pairings[number]
        verdict = VOTES[vote]
        first, second = pairing.first.who, pairing.second.who
        row = Judgment(
            pairing.question.id,
            self.judge,
            first,
            second,
            winner(verdict, first, second),
            status=VOTE,
            verdict=verdict,
            pair_sha256=pairing.sha256,
        )
        with self._lock:
            self.votes[number] = row
            self._save()

    def undo(self) -> None:
        """Take the last vote back."""
        with self._lock:
            if self.votes:
                self.votes.popitem()
                self._save()

    def _save(self) -> None:
        self.folder.save_judgments(self.judge, [*self._others, *self.votes.values()])


def _shuffled(pairings: list[Pairing], judge: str) -> list[Pairing]:
    """Return each pair once, in one of its two orders, all in an order that only the judge's name decides.

    Hashes serve as the dice, so that a pair keeps its order when other answers change and its vote still holds.
    """

    def dice(pairing: Pairing) -> str:
        return sha256_of([judge, pairing.question.id, pairing.first.who, pairing.second.who])

    chosen: dict[tuple[str, frozenset[str]], Pairing] = {}
    for pairing in sorted(pairings, key=dice):
        chosen.setdefault((pairing.question.id, frozenset((pairing.first.who, pairing.second.who))), pairing)
    return sorted(chosen.values(), key=lambda pairing: sha256_of([dice(pairing)]))


def server(ballot: Ballot, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of the page on loopback, bound and not yet running."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self._is_for_us():
                self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            elif self.path == "/":
                page = PAGE.read_text("utf-8").replace("/* style */", STYLE.read_text("utf-8"))
                self._send(page.encode(), "text/html; charset=utf-8")
            elif self.path == "/state":
                self._send(orjson.dumps(ballot.state()), "application/json")
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def do_POST(self) -> None:
            wrong = self._refusal()
            if wrong:
                self.send_error(wrong)
            else:
                self._send(orjson.dumps(ballot.state()), "application/json")

        def _refusal(self) -> HTTPStatus | None:
            """Do what a request asks for; return why it is refused."""
            if not self._is_for_us():
                return HTTPStatus.MISDIRECTED_REQUEST
            if self.path not in ("/vote", "/undo"):
                return HTTPStatus.NOT_FOUND
            # Another site's form or script cannot send this content type without being asked for leave.
            if self.headers.get("Content-Type") != "application/json":
                return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > LONGEST_BODY:
                return HTTPStatus.BAD_REQUEST
            try:
                body = orjson.loads(self.rfile.read(int(length)))
            except orjson.JSONDecodeError:
                return HTTPStatus.BAD_REQUEST
            if self.path == "/undo":
                ballot.undo()
                return None
            number, vote = (body.get("number"), body.get("vote")) if isinstance(body, dict) else (None, None)
            if type(number) is not int or not 0 <= number < len(ballot.pairings):
                return HTTPStatus.BAD_REQUEST
            if not isinstance(vote, str) or vote not in VOTES:
                return HTTPStatus.BAD_REQUEST
            ballot.vote(number, vote)
            return None

        def _is_for_us(self) -> bool:
            """Tell whether we were asked by our own name: a site whose name is made to point here uses another."""
            return self.headers.get("Host", "") in (f"127.0.0.1:{site.server_port}", f"localhost:{site.server_port}")

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the terminal quiet."""

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

    site = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    return site
