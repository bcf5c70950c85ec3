"""People as judges: pairs in random order, without names, one vote each; every vote is on disk before the next pair."""

from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from common.files import sha256_of
from common.local_page import server
from eval.records.folder import Folder
from eval.records.judgments import MARKS, Judgment, Pairing, voted

PAGE = Path(__file__).parents[1] / "pages" / "annotate.html"
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

    def vote(self, number: int, mark: str) -> dict[str, Any]:
        """Count a mark ("1", "2" or "=") for the answers as shown, keep it, and return the next state."""
        if type(number) is not int or not 0 <= number < len(self.pairings) or mark not in MARKS:
            raise ValueError("no such pair, or no such mark")
        with self._lock:
            self.votes[number] = voted(self.pairings[number], self.judge, mark)
            self._save()
            return self.state()

    def undo(self) -> dict[str, Any]:
        """Take the last vote back, and return the next state."""
        with self._lock:
            if self.votes:
                self.votes.popitem()
                self._save()
            return self.state()

    def site(self, port: int = 0) -> ThreadingHTTPServer:
        """Return a server of the page on which the votes are cast, bound and not yet running."""
        posts = {"/vote": lambda body: self.vote(body["number"], body["vote"]), "/undo": lambda _: self.undo()}
        return server(PAGE, {"/state": self.state}, posts, port, LONGEST_BODY)

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
