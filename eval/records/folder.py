"""What eval keeps in a run's folder, or in any other: questions, answers, judgments. Each file is read once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import chain, combinations
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import atomic, read_object, sha256, write_jsonl
from common.paths import folder_name
from common.progress import notice
from eval.records.answers import Answer, load, path_of
from eval.records.judgments import VOTE, Judgment, Pairing, pairings, sha256_of_pair
from eval.records.questions import Question, load_questions


class Folder:
    """A folder of questions, answers and judgments. What was read or written stays in memory: pass it on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Return the run's manifest, empty when this is no run."""
        return read_object(self.path / "manifest.json")

    @property
    def task(self) -> str:
        """Return the task that the run belongs to, "" when this is no run."""
        return str(self.manifest.get("task", ""))

    @cached_property
    def questions(self) -> list[Question]:
        """Return the questions that were asked here; UserError when there are none."""
        path = self.path / "questions.jsonl"
        if not path.exists():
            raise UserError(f"nothing was answered in {self.path} yet", f"make answer RUN={self.path}")
        return load_questions(path, repeats=True)

    @property
    def judged_questions(self) -> list[Question]:
        """Return the questions whose answers are compared by a judge."""
        return [question for question in self.questions if question.use == "judge"]

    @cached_property
    def answers(self) -> dict[str, dict[str, Answer]]:
        """Return contestant -> question id -> answer, of all who answered anything; tuned and base first."""
        names = {path.stem for path in (self.path / "answers").glob("*.jsonl")}
        ours = [who for who in ("tuned", "base") if who in names]
        given = {who: load(path_of(self.path, who), Answer, who=who) for who in ours + sorted(names - {*ours})}
        return {who: {answer.id: answer for answer in answers} for who, answers in given.items() if answers}

    @cached_property
    def all_judgments(self) -> dict[str, list[Judgment]]:
        """Return judge -> judgments as they stand in the files, those of answers that were changed since among them."""
        files = [load(path, Judgment) for path in sorted((self.path / "judgments").glob("*.jsonl"))]
        return {rows[0].judge: rows for rows in files if rows}

    @cached_property
    def judgments(self) -> dict[str, list[Judgment]]:
        """Return judge -> judgments that still hold, of all judges that judged here."""
        texts = {question.id: question.text for question in self.questions}
        return {
            judge: fresh
            for judge, rows in sorted(self.all_judgments.items(), key=lambda of: folder_name(of[0]))  # as the files are
            if (fresh := [row for row in rows if row.canary or (row.id in texts and self._holds(row, texts[row.id]))])
        }

    def _pair(self, row: Judgment) -> list[Answer]:
        """Return the answers that are there now of whom a judgment is about."""
        return [self.answers[who][row.id] for who in (row.first, row.second) if row.id in self.answers.get(who, {})]

    def _holds(self, row: Judgment, question: str) -> bool:
        """Tell whether what was judged is what is there now."""
        pair = self._pair(row)
        return len(pair) == 2 and row.pair_sha256 == sha256_of_pair(question, *pair)

    def pairings(
        self, questions: Iterable[Question], who: Sequence[str] = (), pairs: Sequence[tuple[str, str]] = ()
    ) -> list[Pairing]:
        """Return the pairs of contestants to be judged, in both orders: of all of them, or `pairs`; else UserError."""
        names = list(who) or list(self.answers)
        everyone = dict.fromkeys(chain.from_iterable(pairs) if pairs else names)
        missing, hint = [name for name in everyone if name not in self.answers], f"make answer RUN={self.path}"
        there = ", ".join(self.answers if missing else names) or "none"
        if missing:
            raise UserError(f"{', '.join(missing)} has no answers in {self.path}; there are {there}", hint)
        if len(everyone) < 2:
            raise UserError(f"a comparison needs two contestants, {self.path} has {there}", hint)
        work = pairings(questions, self.answers, pairs or [*combinations(names, 2)])
        if not work:
            raise UserError(f"no question is answered by two contestants in {self.path}", hint)
        return work

    def save_questions(self, questions: list[Question], answering: Iterable[str]) -> None:
        """Keep what is asked of the contestants `answering`, and what the others have answered.

        Raises UserError when another question goes by the same id here.
        """
        path = self.path / "questions.jsonl"
        _ = self.judged_answers  # before anything changes
        others = [given for who, given in self.answers.items() if who not in set(answering)]
        new = {question.id: question for question in questions}
        stored = self.questions if path.exists() else []
        kept = [question for question in stored if any(question.id in given for given in others)]
        clash = next((q for q in kept if q.id in new and q.text != new[q.id].text), None)
        if clash:
            raise UserError(
                f"{self.path} has another question under the id {clash.id}: {clash.text[:60]!r}",
                "give yours other ids, or answer in another folder",
            )
        self.questions = [*questions, *(question for question in kept if question.id not in new)]
        write_jsonl(path, map(Question.row, self.questions))

    def save_answers(self, who: str, answers: list[Answer]) -> Path:
        """Write a contestant's answers; return the file.

        Where answers were judged that are not among them, the old file is kept beside it, and that is said.
        """
        path = path_of(self.path, who)
        lost = self.judged_answers.get(who, set()) - {(answer.question, answer.answer) for answer in answers}
        if lost:
            kept = path.parent / "replaced" / f"{who}-{sha256(path)[:8]}.jsonl"
            with atomic(kept) as file:
                file.write(path.read_bytes())
            notice(
                f"{len(lost)} answers of {who} that were judged are replaced; the old ones are in {kept}. Votes and "
                f"verdicts on them stay in {self.path / 'judgments'} and count again when the old answers come back"
            )
        write_jsonl(path, map(asdict, answers))
        self.answers[who] = {answer.id: answer for answer in answers}
        self.__dict__.pop("judgments", None)
        return path

    @cached_property
    def judged_answers(self) -> dict[str, set[tuple[str, str]]]:
        """Return contestant -> question and text of the answers that were judged, before any was saved anew."""
        found: dict[str, set[tuple[str, str]]] = {}
        for row in chain.from_iterable(self.all_judgments.values()):
            pair = [] if row.canary else self._pair(row)
            if pair and self._holds(row, pair[0].question):
                for answer in pair:
                    found.setdefault(answer.who, set()).add((answer.question, answer.answer))
        return found

    def judged_and_lost(self, who: str, stays: Callable[[Answer], bool]) -> int:
        """Return how many votes and verdicts are on answers of `who` that do not stay."""
        rows = chain.from_iterable(self.judgments.values() if self.all_judgments else ())
        return sum(who in (row.first, row.second) and not stays(self.answers[who][row.id]) for row in rows)

    @property
    def lost_votes(self) -> dict[str, int]:
        """Return person -> votes, of people none of whose votes is on answers that are here."""
        votes = {judge: len(rows) for judge, rows in self.all_judgments.items() if rows[0].status == VOTE}
        return {judge: n for judge, n in votes.items() if judge not in self.judgments}

    @property
    def stale_judgments(self) -> int:
        """Return how many judgments are of answers that are others now, and have not been made anew."""

        def places(judgments: dict[str, list[Judgment]]) -> set[tuple[str, ...]]:
            rows = [row for judge, rows in judgments.items() if judge not in lost for row in rows]
            pairs = [(row.first, row.second) for row in rows]
            return {
                (row.judge, row.id, *(sorted(pair) if row.status == VOTE else pair))
                for row, pair in zip(rows, pairs, strict=True)
            }

        lost = self.lost_votes
        return len(places(self.all_judgments) - places(self.judgments))

    def add_judgments(self, judge: str, judgments: Iterable[Judgment]) -> list[Judgment]:
        """Add to a judge's judgments; return the earlier ones that stay.

        The same pair in the same order is replaced, unless the new call failed and the earlier one did not.
        """

        def place(row: Judgment) -> tuple[str, ...]:
            return row.id, row.first, row.second, row.canary, row.pair_sha256

        known = {place(row): row for row in self.all_judgments.get(judge, [])}
        new = {place(row): row for row in judgments}
        better = {key: row for key, row in new.items() if row.status != "failed" or key not in known}
        self.save_judgments(judge, (known | better).values())
        return [row for key, row in known.items() if key not in new]

    def save_judgments(self, judge: str, judgments: Iterable[Judgment]) -> None:
        """Write a judge's judgments, one row for each pair and order, in the place of all earlier ones."""
        self.all_judgments[judge] = rows = list(judgments)
        write_jsonl(self.path / "judgments" / f"{folder_name(judge)}.jsonl", map(asdict, rows))
        self.__dict__.pop("judgments", None)
        self.__dict__.pop("judged_answers", None)
