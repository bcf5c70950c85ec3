"""`python -m tests.bench.novelty`: how fast generated items are compared, beside the plain way; both keep the same.

The plain way is what stanford_alpaca's script does: the ROUGE-L of each new instruction with every one kept so far, by
the usual table. It needs hours for 50,000 items, so it runs on the first ones only, and its time for all is worked out
from the pairs that it would compare.
"""

import random
import time
from collections.abc import Sequence

import click

from common.errors import run_cli
from converters.generate.novelty import Novelty, tokens
from tests.bench.lookalikes import Texts

RECENT = 3_000


def look_alikes(count: int, chinese: bool = False, seed: int = 0) -> list[str]:
    """Return texts as long as instructions; two of five say an earlier one in more or less other words."""
    texts, draw = Texts(seed), random.Random(seed)
    found: list[str] = []
    for _ in range(count):
        if found and draw.random() < 0.4:
            before = draw.choice(found[-RECENT:])
            words, others = (
                (list(before), list(texts.chinese(40))) if chinese else (before.split(), texts.english(300).split())
            )
            share = draw.uniform(0, 0.6)
            words = [draw.choice(others) if draw.random() < share else word for word in words]
            found.append(("" if chinese else " ").join(words))
        else:
            found.append(texts.chinese(draw.randint(12, 60)) if chinese else texts.english(draw.randint(40, 160)))
    return found


def plain_length(one: Sequence[object], other: Sequence[object]) -> int:
    """Return the length of the longest common subsequence, by the usual table."""
    row = [0] * (len(other) + 1)
    for left in one:
        before, row = row, [0]
        for place, right in enumerate(other):
            row.append(before[place] + 1 if left == right else max(before[place + 1], row[place]))
    return row[-1]


def plainly_kept(texts: Sequence[str]) -> list[int]:
    """Return the numbers of the texts that the plain way keeps, at a threshold of 0.7."""
    kept: list[tuple[int, list[str]]] = []
    for number, text in enumerate(texts):
        mine = tokens(text)
        # 2 common / (both lengths) < 7/10, in whole numbers.
        if all(20 * plain_length(mine, its) < 7 * (len(mine) + len(its)) or not mine for _, its in kept):
            kept.append((number, mine))
    return [number for number, _ in kept]


def bench(count: int, sample: int) -> str:
    """Return a table: items, kept, seconds, seconds of one processor, the plain way beside it."""
    lines = [f"{'':<8} {'items':>8} {'kept':>8} {'seconds':>9} {'processor':>10}  the plain way"]
    for told, chinese in (("English", False), ("Chinese", True)):
        texts = look_alikes(count, chinese)
        began, worked = time.perf_counter(), time.process_time()
        kept = _kept(texts)
        seconds, processor = time.perf_counter() - began, time.process_time() - worked
        began = time.process_time()
        plain = plainly_kept(texts[:sample])
        plain_seconds = time.process_time() - began
        same = "the same kept" if plain == [number for number in kept if number < sample] else "OTHERS KEPT"
        hours = plain_seconds * (len(kept) * count) / max(1, len(plain) * sample) / 3600
        lines.append(
            f"{told:<8} {count:>8,} {len(kept):>8,} {seconds:>9.1f} {processor:>8.1f} s  "
            f"{plain_seconds:.1f} s for {sample:,} items ({same}), about {hours:,.0f} h for all"
        )
    return "\n".join(lines)


def _kept(texts: Sequence[str]) -> list[int]:
    novelty, kept = Novelty(), []
    for number, text in enumerate(texts):
        if novelty.similar(text) is None:
            novelty.add(text)
            kept.append(number)
    return kept


@click.command()
@click.option("--items", default=50_000, show_default=True)
@click.option("--sample", default=300, show_default=True, help="Items that the plain way is run on, too.")
def main(items: int, sample: int) -> None:
    """Compare generated items by ROUGE-L, beside the plain way; seconds, and whether both agree."""
    click.echo(bench(items, sample))


if __name__ == "__main__":
    run_cli(main)
