"""Replay: a model's own answers to general instructions, so that it keeps what it could do while it learns a domain.

The answers are those of the model that will be trained, served as it is. The instructions are the lines of
prompts/replay.*.jinja.
"""

import hashlib
from collections.abc import Iterator, Sequence

from common.llm.client import Request
from common.llm.reply import Reply
from converters.generate.answers import no_answer, repetition
from converters.generate.ask import Dropped
from converters.generate.each_row import EachRow
from converters.generate.parts import Row
from converters.task import Record


class Replayer(EachRow):
    """Asks each general instruction as it stands."""

    label = "answers to general instructions"
    reply_tokens = 300

    def rows(self) -> list[Row]:
        """Return the instructions, mixed, and in the same order everywhere."""
        lines = {line.strip() for line in self.part.prompt.render().splitlines() if line.strip()}
        named = sorted((hashlib.sha256(line.encode()).hexdigest()[:12], line) for line in lines)
        return [{"id": f"replay-{name}", "instruction": line, "input": "", "output": ""} for name, line in named]

    def request(self, record: Record) -> Request:
        """Ask it as a user would."""
        return Request([{"role": "user", "content": record.instruction}], self.part.settings.sampling())

    def results(self, records: Sequence[Record], replies: Sequence[Reply]) -> Iterator[Row | Dropped]:
        """Keep the answers that are whole, without the thought before them."""
        for record, reply in zip(records, replies, strict=True):
            if reply.finish_reason == "length":
                yield "cut_off", "the reply reached max_tokens"
            elif why := no_answer(reply.said):
                yield why
            elif same := repetition(reply.said):
                yield "repetition", f"says {same!r} over and over"
            else:
                yield {"instruction": record.instruction, "input": "", "output": reply.said.strip()}
