"""Judge pairs of answers, each in both orders, by a model behind an endpoint or by the offline stand-in."""

from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from common.errors import UserError
from common.llm.client import Client, Request
from common.llm.default_judge import DEFAULT_MODEL, STAND_IN, auto_judge
from common.llm.endpoint import Endpoint, split_model
from common.llm.reply import FILTERED, Reply
from eval.judging.prompt import SCHEMA, Style, again_prompt, pair_prompt, too_long, version
from eval.judging.read_verdict import read_verdict
from eval.records.judgments import Judgment, Pairing, Verdict

ROOM = 4096  # tokens that a judge gets on top from when it was seen to think, or was cut off, on


@dataclass(frozen=True)
class ModelJudge:
    """A judge behind an endpoint."""

    name: str
    endpoint: Endpoint
    style: Style
    settings: dict[str, Any]

    def request(self, pairing: Pairing) -> tuple[Request, int]:
        """Return what this judge is asked about a pairing, and how many things in it were made harmless."""
        asked, first, second = pairing.question, pairing.first.answer, pairing.second.answer
        prompt, defused = pair_prompt(asked.text, first, second, asked.reference, self.style, checklist=asked.checklist)
        settings = self.settings | ({"response_format": SCHEMA} if self.style.structured else {})
        return Request([{"role": "user", "content": prompt}], settings, room=ROOM), defused

    async def judge(self, client: Client, pairing: Pairing) -> Judgment:
        """Return the judgment of one pairing; no verdict on the last line is asked for once more."""
        request, defused = self.request(pairing)
        reply = await client.ask(self.endpoint, request)
        replies, verdict = [reply], _read(reply)
        if verdict is None and not reply.error and reply.finish_reason.lower() not in FILTERED:
            reply = await client.ask(self.endpoint, self._again(request, reply))
            replies, verdict = [*replies, reply], _read(reply)
        return pairing.judged(
            self.name, verdict, status=_status(reply, verdict), replies=[asdict(one) for one in replies],
            defused=defused, prompt_sha256=request.key(self.endpoint), note=cut_note(pairing),
            settings={**self.settings, "prompt": version(self.style), "endpoint": self.endpoint.url},
        )  # fmt: skip

    def _again(self, request: Request, reply: Reply) -> Request:
        if not reply.text.strip():
            return replace(request, repeat=1)
        chat = [{"role": "assistant", "content": reply.text}, {"role": "user", "content": again_prompt(self.style)}]
        return replace(request, messages=[*request.messages, *chat], settings=self.settings)


def cut_note(pairing: Pairing) -> str:
    """Say whose answers were too long to be shown whole, "" where none was."""
    cut = [answer.who for answer in pairing.answers if too_long(answer.answer)]
    return "; ".join(f"{who}'s answer was cut in the judge's copy" for who in cut)


def _read(reply: Reply) -> Verdict | None:
    return None if reply.error else read_verdict(reply.text, reply.finish_reason)


def _status(reply: Reply, verdict: Verdict | None) -> str:
    if verdict is not None:
        return "ok"
    if reply.error:
        return "failed"
    return "refused" if reply.finish_reason.lower() in FILTERED else "unparsed"


def judge_names(wanted: tuple[str, ...]) -> list[str]:
    """Return the judges to use; `auto` is JUDGE_MODEL when there is a key or a URL, else the offline stand-in."""
    names = [name for names in wanted for name in names.replace(",", " ").split()] or ["auto"]
    return list(dict.fromkeys(auto_judge() if name == "auto" else name for name in names))


def model_judges(
    names: list[str], style: Style, settings: dict[str, Any], *, known: dict[str, str], needs_key: bool = True
) -> list[ModelJudge]:
    """Build judges from `model` or `model@url`; the style is part of a judge's name, so that files do not mix.

    `known` holds the endpoints of judges that have judged before: the same model at another has a name of its own.
    """
    judges: dict[str, ModelJudge] = {}
    for name in names:
        model, url = split_model(name)
        if model in ("panel", STAND_IN) or model.startswith("human"):
            raise UserError(
                f"{name!r} cannot name a judge", f"write JUDGE={DEFAULT_MODEL} or JUDGE=model@http://host:8000/v1"
            )
        endpoint = Endpoint.from_environment(model, url, needs_key=needs_key)
        ways = [way for way in ("guided", "checklist", "structured") if getattr(style, way)]
        called = "+".join([model, *ways])
        if called in judges or known.get(called) not in (None, "", endpoint.url):
            called += f"@{urlsplit(endpoint.url).netloc}"
        judges[called] = ModelJudge(called, endpoint, style, settings)
    return list(judges.values())
