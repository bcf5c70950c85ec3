"""A conversation with several models side by side: the same words to each, streamed; a marked pair is a vote."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.files import write_text
from common.llm.endpoint import LOCAL_TIMEOUT, Endpoint, split_model
from common.llm.prices import is_local
from common.paths import folder_name
from common.run_files import read_manifest
from eval.answering.serve import served
from eval.answering.served_model import ensure_here, settings_of
from eval.records.answers import Answer
from eval.records.folder import Folder
from eval.records.judgments import Pairing, voted
from eval.records.questions import Question

JUDGE = "human-chat"


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
        with (
            DefaultHttpxClient(trust_env=direct, timeout=LOCAL_TIMEOUT) as http,
            OpenAI(api_key=self.endpoint.key or "none", base_url=self.endpoint.url, http_client=http) as client,
        ):
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
    config = run / "serve" / f"{who}.yaml"
    model = settings_of(config).get("model_name_or_path", "")
    if who != "tuned" or not str(model).startswith(run.as_posix()) or Path(model).is_dir():
        return config
    manifest = read_manifest(run)
    if "train" not in manifest.get("steps", {}):
        command = manifest.get("command", "make train")
        raise UserError(f"{run} has not been trained yet", f"{command}, or WHO=base to talk to the base")
    exported = settings_of(run / "export.yaml")
    serving = settings_of(run / "serve" / "base.yaml")
    settings = serving | {key: value for key, value in exported.items() if not key.startswith("export_")}
    path = run / "serve" / "adapter.yaml"
    write_text(path, yaml.safe_dump(settings, sort_keys=False))
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


class Votes:
    """The pairs that were marked, kept as a folder of their own, which `make result RUN=` shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = Folder(folder)

    def keep(self, sides: Sequence[Side], mark: str) -> None:
        """Keep both last answers and the vote on them: "1" or "2" is the better one, "=" a tie."""
        first = sides[0]
        question = "\n\n".join(turn["content"] for turn in first.turns if turn["role"] == "user")
        known = self.folder.questions if (self.folder.path / "questions.jsonl").exists() else []
        asked = Question(f"chat-{len(known) + 1:03d}", question)
        names = [side.name for side in sides]
        self.folder.save_questions([*known, asked], names)
        given = [
            Answer(asked.id, side.name, question, side.turns[-1]["content"], model=side.endpoint.model)
            for side in sides
        ]
        for name, answer in zip(names, given, strict=True):
            self.folder.save_answers(name, [*self.folder.answers.get(name, {}).values(), answer])
        row = voted(Pairing(asked, given[0], given[1]), JUDGE, mark)
        self.folder.save_judgments(JUDGE, [*self.folder.all_judgments.get(JUDGE, []), row])
