"""Rows that look like the six data sets', at their real sizes: for the benchmark, where the hub is out of reach.

Same file names, columns, row counts, bytes and shares of duplicates; words of made-up but naturally frequent text.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import orjson

from converters.registry import load_task

Row = dict[str, Any]
Random = numpy.random.Generator
POOL = 1 << 20
EXACT_SHARE, NEAR_SHARE = 0.03, 0.02
FUNCTION_WORDS_TEXT = "the of and to in is that for it with as was are by this have from or not can be you your at a an"
FUNCTION_WORDS = FUNCTION_WORDS_TEXT.split()
SYLLABLES_TEXT = (
    "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu zan ber cor den fil gor ster tion ment ling"
)
SYLLABLES = SYLLABLES_TEXT.split()
FREQUENT_HAN = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多"
    "定行学法所民得经"
)


class Texts:
    """A source of random text with natural word frequencies, fast enough for a gigabyte."""

    def __init__(self, seed: int) -> None:
        self.random = numpy.random.default_rng(seed)
        rank = 1 / numpy.arange(1, 20_001) ** 1.05
        spelled = {"".join(self.random.choice(SYLLABLES, self.random.integers(2, 5))) for _ in range(25_000)}
        words = [*FUNCTION_WORDS, *sorted(spelled)][: len(rank)]
        rank = rank[: len(words)]
        drawn = self.random.choice(len(words), POOL, p=rank / rank.sum())
        self._words = [words[number] for number in drawn.tolist()]
        han = [ord(character) for character in FREQUENT_HAN] + list(range(0x4E00, 0x4E00 + 3_000))
        han_rank = 1 / numpy.arange(1, len(han) + 1) ** 0.8
        self._han = self.random.choice(numpy.array(han, numpy.uint32), POOL, p=han_rank / han_rank.sum())

    def length(self, mean: float) -> int:
        """Draw a length whose logarithm is normal, as those of real answers are."""
        return max(8, int(self.random.lognormal(numpy.log(mean) - 0.25, 0.7)))

    def english(self, characters: int) -> str:
        """Return about so many characters of words and sentences."""
        count = max(3, characters // 7)
        words = [self._words[place] for place in self.random.integers(0, POOL, count).tolist()]
        for end in range(11, count, 12):
            words[end] += "."
        return " ".join(words).capitalize() + "."

    def chinese(self, characters: int) -> str:
        """Return so many characters, with punctuation."""
        points = self._han[self.random.integers(0, POOL, max(4, characters))]
        points[11::17] = ord("，")
        points[30::35] = ord("。")
        return points.tobytes().decode("utf-32-le")


def law_en(texts: Texts, number: int) -> Row:
    """Return a row of Lawyer-Instruct's kind."""
    asked = f"What does the law say about {texts.english(texts.length(250))}"
    return {"instruction": asked, "output": texts.english(texts.length(330)), "input": ""}


def medical_en(texts: Texts, number: int) -> Row:
    """Return a row of MedQuad's kind."""
    asked = f"What are the symptoms of {texts.english(18).rstrip('.')} ?"
    answer = texts.english(texts.length(1_250)).replace(". ", ".                - ", 2)
    return {"qtype": "symptoms", "Question": asked, "Answer": answer}


def finance_en(texts: Texts, number: int) -> Row:
    """Return a row of finance-alpaca's kind: a quarter about money."""
    asked = f"{'Should I invest in stocks' if number % 4 == 0 else 'Describe'} {texts.english(40)}"
    given = texts.english(60) if number % 4 == 1 else ""
    return {"text": "", "instruction": asked, "input": given, "output": texts.english(texts.length(440))}


def pair(mean: int, asked: int) -> Callable[[Texts, int], Row]:
    """Return a maker of DISC-Law-SFT rows without statutes."""

    def make(texts: Texts, number: int) -> Row:
        prompt = f"请大致描述这篇文书的内容。\n{texts.chinese(texts.length(asked))}"
        return {"id": f"jud_doc_sum-{number}", "input": prompt, "output": texts.chinese(texts.length(mean))}

    return make


def triplet(mean: int, asked: int, inside: bool) -> Callable[[Texts, int], Row]:
    """Return a maker of DISC-Law-SFT rows with statutes, inside the prompt or not."""

    def make(texts: Texts, number: int) -> Row:
        statutes = [f"《刑法》第{texts.chinese(4)}条：{texts.chinese(120)}" for _ in range(2)]
        prompt = texts.chinese(texts.length(asked))
        if inside:
            prompt = "\n".join([*statutes, "<问题>：", prompt])
        answer = texts.chinese(texts.length(mean))
        return {"id": f"judgement_predit-{number}", "reference": statutes, "input": prompt, "output": answer}

    return make


def medical_zh(texts: Texts, number: int) -> Row:
    """Return a row of Huatuo26M-Lite's kind."""
    return {
        "id": number,
        "answer": texts.chinese(texts.length(255)),
        "score": int(texts.random.integers(1, 6)),
        "label": "内科",
        "question": texts.chinese(texts.length(120)),
        "related_diseases": "",
    }


def finance_zh(texts: Texts, number: int) -> Row:
    """Return a row of fingpt-fineval's kind."""
    options = [texts.chinese(12) for _ in range(4)]
    letters = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True))
    asked = "以下是中国关于政治经济学考试的单项选择题，请选出其中的正确答案。"
    return {"input": f"{texts.chinese(40)}____。\n{letters}\n", "output": f"A. {options[0]}", "instruction": asked}


MAKERS: dict[str, list[tuple[int, Callable[[Texts, int], Row]]]] = {
    "law_en": [(9_241, law_en)],
    "medical_en": [(16_407, medical_en)],
    "finance_en": [(68_912, finance_en)],
    "law_zh": [
        (166_758, pair(120, 580)),
        (79_692, pair(180, 175)),
        (16_000, triplet(280, 480, inside=False)),
        (23_331, triplet(200, 180, inside=True)),
    ],
    "medical_zh": [(177_703, medical_zh)],
    "finance_zh": [(1_056, finance_zh), (265, finance_zh)],
}
"""For each task the number of rows and the maker of each of its files."""


def rows(make: Callable[[Texts, int], Row], count: int, texts: Texts) -> Iterator[Row]:
    """Yield so many rows, some of them repeated exactly and some with small changes."""
    recent: list[Row] = []
    for number in range(count):
        draw = texts.random.random()
        if recent and draw < EXACT_SHARE:
            yield recent[number % len(recent)]
        elif recent and draw < EXACT_SHARE + NEAR_SHARE:
            row = dict(recent[number % len(recent)])
            longest = max((key for key in row if isinstance(row[key], str)), key=lambda key: len(row[key]))
            row[longest] = row[longest].replace(row[longest][-9:-6], texts.chinese(3), 1)
            yield row
        else:
            row = make(texts, number)
            if number % 50 == 0:
                recent = [*recent[-200:], row]
            yield row


def write_task(name: str, folder: Path, scale: float = 1.0, seed: int = 0) -> int:
    """Write a task's look-alike files into folder/<task> and return their bytes; done already, it is kept."""
    target = folder / name
    marker = target / ".done"
    if not marker.is_file():
        texts = Texts(seed)
        for spec, (count, make) in zip(load_task(name).files, MAKERS[name], strict=True):
            path = target / spec.path
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, rows(make, max(1, round(count * scale)), texts))
        marker.touch()
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _write(path: Path, made: Iterator[Row]) -> None:
    if path.suffix == ".parquet":
        import pandas

        pandas.DataFrame(list(made)).to_parquet(path, index=False)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as table:
            writer = csv.writer(table)
            for number, row in enumerate(made):
                if not number:
                    writer.writerow(row)
                writer.writerow(row.values())
    else:
        array = path.suffix == ".json"
        with path.open("wb") as file:
            file.write(b"[\n" if array else b"")
            for number, row in enumerate(made):
                line = orjson.dumps(row)
                file.write((b",\n" if number else b"") + line if array else line + b"\n")
            file.write(b"\n]\n" if array else b"")
