"""Judge pairs of answers, each in both orders, by a model behind an endpoint or by the offline stand-in."""

from collections.abc import Awaitable, Iterable
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

from common.errors import UserError
from common.files import sha256_of
from common.llm.client import Client, Endpoint, Request
from common.llm.reply import Reply
from eval.judging.prompt import SCHEMA, Style, again_prompt, pair_prompt, version
from eval.judging.read_verdict import Verdict, read_structured, read_verdict
from eval.records.answers import Answer
from eval.records.questions import Question

PLAIN_LABEL_TOKENS = 64
VOTE = "vote"  # the status of a person's verdict, who sees each pair once


@dataclass(frozen=True)
class Pairing:
    """One comparison to make: a question with the answers of contestants `a` and `b`, seen as `first`, `second`."""

    question: Question
    first: Answer
    second: Answer
    canary: str = ""  # "" or what should be known to win: see canaries.py

    @property
    def sha256(self) -> str:
        """Return a hash of what is compared: a judgment of anything else does not count for it."""
        return sha256_of([self.question.text, self.first.answer, self.second.answer])


@dataclass
class Judgment:
    """One verdict on one pair in one order: a row of judgments/<judge>.jsonl.

    `winner` is a contestant's name, "tie", or None when the judge gave no verdict; `status` is then "unparsed",
    "refused" or "failed" ("vote" is a person's verdict). `replies` holds what the judge said: one entry, or two when
    it was asked again.
    """

    id: str
    judge: str
    first: str
    second: str
    winner: str | None
    status: str = "ok"
    verdict: Verdict | None = None
    replies: list[dict[str, Any]] = field(default_factory=list)
    defused: int = 0
    pair_sha256: str = ""
    prompt_sha256: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    canary: str = ""
    note: str = ""

    def row(self) -> dict[str, Any]:
        """Return this judgment as a JSON-like dict."""
        return asdict(self)


def pairs_of(names: list[str], baseline: str = "") -> list[tuple[str, str]]:
    """Return who is compared with whom: everyone with everyone, or everyone with the baseline."""
    if not baseline:
        return list(combinations(names, 2))
    return [(name, baseline) for name in names if name != baseline]


def pairings(
    questions: Iterable[Question], answers: dict[str, dict[str, Answer]], pairs: list[tuple[str, str]]
) -> list[Pairing]:
    """Return every pair in both orders, over the questions that both have answered."""
    return [
        Pairing(question, answers[first][question.id], answers[second][question.id])
        for question in questions
        for a, b in pairs
        if _answered(answers, a, question) and _answered(answers, b, question)
        for first, second in ((a, b), (b, a))
    ]


def _answered(answers: dict[str, dict[str, Answer]], who: str, question: Question) -> bool:
    answer = answers[who].get(question.id)
    if answer and answer.question.strip() != question.text:
        raise UserError(
            f"{who} answered another question under the id {question.id}: {answer.question[:60]!r}",
            "answer again with the same QUESTIONS",
        )
    return answer is not None and not answer.error


@dataclass(frozen=True)
class ModelJudge:
    """A judge behind an endpoint."""

    name: str
    endpoint: Endpoint
    style: Style
    settings: dict[str, Any]

    def request(self, pairing: Pairing) -> tuple[Request, int]:
        """Return what this judge is asked about a pairing, and how many things in it were made harmless."""
        prompt, defused = pair_prompt(
            pairing.question.text,
            pairing.first.answer,
            pairing.second.answer,
            pairing.question.reference,
            self.style,
        )
        settings = self.settings | ({"response_format": SCHEMA} if self.style.structured else {})
        return Request([{"role": "user", "content": prompt}], settings), defused

    async def judge(self, client: Client, pairing: Pairing) -> Judgment:
        """Return the judgment of one pairing; no verdict on the last line is asked for once more."""
        request, defused = self.request(pairing)
        judgment = Judgment(
            pairing.question.id,
            self.name,
            pairing.first.who,
            pairing.second.who,
            None,
            defused=defused,
            pair_sha256=pairing.sha256,
            prompt_sha256=request.key(self.endpoint),
            settings={**self.settings, "prompt": version(self.style), "endpoint": self.endpoint.url},
            canary=pairing.canary,
        )
        reply = await client.ask(self.endpoint, request)
        judgment.replies.append(reply.row())
        verdict = self._read(reply)
        if verdict is None and not reply.error and reply.finish_reason not in ("content_filter", "refusal"):
            reply = await client.ask(self.endpoint, self._again(request, reply))
            judgment.replies.append(reply.row())
            verdict = self._read(reply)
        judgment.verdict = verdict
        judgment.winner = winner(verdict, pairing.first.who, pairing.second.who)
        judgment.status = _status(reply, verdict)
        return judgment

    def _read(self, reply: Reply) -> Verdict | None:
        if reply.error:
            return None
        return (read_structured if self.style.structured else read_verdict)(reply.text, reply.finish_reason)

    def _again(self, request: Request, reply: Reply) -> Request:
        if not reply.text.strip():
            return Request(request.messages, request.settings, repeat=1)
        told = [
            {"role": "assistant", "content": reply.text},
            {"role": "user", "content": again_prompt(self.style)},
        ]
        return Request([*request.messages, *told], self.settings | {"max_tokens": PLAIN_LABEL_TOKENS})


def winner(verdict: Verdict | None, first: str, second: str) -> str | None:
    """Return whom a verdict on (first, second) makes the winner, "tie", or None."""
    return {"better": first, "worse": second, "equal": "tie", None: None}[verdict]


def _status(reply: Reply, verdict: Verdict | None) -> str:
    if verdict is not None:
        return "ok"
    if reply.error:
        return "failed"
    return "refused" if reply.finish_reason in ("content_filter", "refusal") else "unparsed"


def work_of(judges: list[ModelJudge], client: Client, all_pairings: list[Pairing]) -> list[Awaitable[Judgment]]:
    """Return one coroutine for each judge and pairing, for one pool."""
    return [judge.judge(client, pairing) for judge in judges for pairing in all_pairings]
