"""A conversation with several models side by side: the same words to each, streamed; a marked pair is a vote."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.files import write_text
from common.llm.endpoint import LOCAL_TIMEOUT, Endpoint, split_model
from common.llm.prices import is_local
from common.local_page import server
from common.paths import folder_name
from common.run_files import read_manifest
from eval.answering.serve import served
from eval.answering.served_model import ensure_here, serving, settings_of
from eval.records.answers import Answer
from eval.records.folder import Folder
from eval.records.judgments import MARKS, Pairing, voted
from eval.records.questions import Question

JUDGE = "human-chat"
PAGE = Path(__file__).parents[1] / "pages" / "chat.html"


@dataclass
class Side:
    """One model and what was said to it so far."""

    name: str
    endpoint: Endpoint
    system: str = ""
    turns: list[dict[str, str]] = field(default_factory=list)

    def ask(self, text: str, settings: dict[str, Any]) -> Iterator[str]:
        """Yield the answer to `text` piece by piece; the conversation goes on from it."""
        from openai import DefaultHttpxClient, OpenAI

        before: list[Any] = [{"role": "system", "content": self.system}] if self.system else []
        asked: list[Any] = [*self.turns, {"role": "user", "content": text}]
        said = ""
        direct = not is_local(self.endpoint.url)  # a proxy knows nothing of this machine's own servers
        http = DefaultHttpxClient(trust_env=direct, timeout=LOCAL_TIMEOUT)
        with OpenAI(api_key=self.endpoint.key or "none", base_url=self.endpoint.url, http_client=http) as client:
            stream: Any = client.chat.completions.create(
                model=self.endpoint.model, messages=[*before, *asked], stream=True, **settings
            )
            for part in stream:
                piece = part.choices[0].delta.content if part.choices else None
                if piece:
                    said += piece
                    yield piece
        self.turns = [*asked, {"role": "assistant", "content": said}]


def config_of(run: Path, who: str) -> Path:
    """Return the file to serve a run's base or tuned model from: the adapter's where no merged model is here."""
    config = serving(run, who)
    model = settings_of(config).get("model_name_or_path", "")
    if who != "tuned" or not str(model).startswith(run.as_posix()) or Path(model).is_dir():
        return config
    manifest = read_manifest(run)
    if "train" not in manifest.get("steps", {}):
        command = manifest.get("command", "make train")
        raise UserError(f"{run} has not been trained yet", f"{command}, or WHO=base to talk to the base")
    exported = settings_of(run / "export.yaml")
    settings = {key: value for key, value in exported.items() if not key.startswith("export_")}
    path = config.with_name("adapter.yaml")
    write_text(path, yaml.safe_dump(settings_of(config.with_name("base.yaml")) | settings, sort_keys=False))
    return path


@contextmanager
def sides(run: Path, who: Sequence[str], system: str) -> Iterator[list[Side]]:
    """Start what is to be talked to: base or tuned of `run`, another run's folder (its tuned model), or MODEL@URL."""
    with ExitStack() as stack, ThreadPoolExecutor(len(who)) as pool:

        def start(number: int, name: str) -> Side:
            if "@http" in name:
                model, url = split_model(name, "WHO")
                return Side(folder_name(model), Endpoint.from_environment(model, url), system)
            folder, part = (run, name) if name in ("base", "tuned") else (Path(name), "tuned")
            config = config_of(folder, part)
            ensure_here(folder, config)
            log = run / "logs" / f"chat-{number}.log"
            return Side(folder_name(name), stack.enter_context(served(config, log, concurrency=1)), system)

        yield list(pool.map(start, range(1, len(who) + 1), who))


class Talk:
    """One conversation with one or two models, in a terminal or a page; pairs that are marked are kept as votes.

    They have a folder of their own, which `make result RUN=` shows.
    """

    def __init__(self, sides: Sequence[Side], folder: Path, settings: dict[str, Any]) -> None:
        self.sides, self.folder, self.settings = sides, Folder(folder), settings
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
        self._keep(mark)
        self.kept, self._marked = self.kept + 1, True
        return self.state()

    def _keep(self, mark: str) -> None:
        """Keep both last answers and the vote on them: "1" or "2" is the better one, "=" a tie."""
        question = "\n\n".join(turn["content"] for turn in self.sides[0].turns if turn["role"] == "user")
        known = self.folder.questions if (self.folder.path / "questions.jsonl").exists() else []
        asked = Question(f"chat-{len(known) + 1:03d}", question)
        self.folder.save_questions([*known, asked], [side.name for side in self.sides])
        given = [
            Answer(asked.id, side.name, question, side.turns[-1]["content"], model=side.endpoint.model)
            for side in self.sides
        ]
        for answer in given:
            self.folder.save_answers(answer.who, [*self.folder.answers.get(answer.who, {}).values(), answer])
        row = voted(Pairing(asked, given[0], given[1]), JUDGE, mark)
        self.folder.save_judgments(JUDGE, [*self.folder.all_judgments.get(JUDGE, []), row])

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
