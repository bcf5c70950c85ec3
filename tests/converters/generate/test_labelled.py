"""The checks of generated items and rewritten answers against examples labelled by hand, both languages.

`python -m tests.converters.generate.test_labelled` prints the error rates that the docs give.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from converters.generate.answers import unframed
from converters.generate.facts import problem
from converters.generate.worth import unworthy
from converters.task import Record

FOLDER = Path(__file__).with_name("labelled")
MISSED = {
    "Metformin should not be started when eGFR is below 30 and must be stopped below 45 mL/min... in any case ask about"
    " the kidneys.",  # the numbers have changed places
    "体温超过38.5℃可以吃退烧药，注意多喝水，三天不退要去医院，24小时内不超过4次。",  # the names of both drugs are gone
    "不建议同时服用。体温超过38.5℃时可选其中一种，布洛芬每次间隔4到6小时，对乙酰氨基酚每次间隔6到8小时，"
    "24小时内不超过4次；三个月以下婴儿发热应立即就医。",  # the drugs have changed places
}
"""Bad answers that the checks let through, and bad items by their answers."""
MISSED_ITEMS = {
    "请说明高血压的主要危害。",
    "如何办理房屋过户手续是一个很多人关心的问题。",
    "What causes high blood pressure is a common question.",
    "List 3 risks of day trading.",
    "When a patent expires.",
    "利息为X×Y%×Z元。",
    "合同无效的法律后果，是指合同被确认无效以后所产生的法律上的后果。",
    "Great question! A Roth IRA is something many people ask about, and understanding it is a key step on your"
    " financial journey.",
    "The doctrine of consideration explains the doctrine of consideration in contracts.",
    "要求/请求",
    "抑郁症的常见症状包括高血压、肾功能不全、肾衰、肾结石等。预防工作再次发生抑郁症的方法包括保持良好的生活习惯、适量的运动、"
    "戒烟戒酒，避免过度劳累和情绪激动，戒烟戒酒，多活动锻练等。",
    "法律法规是关于法律问题的普遍解释，包括法律名称和条目，以及法律名称和条目之间的联系。",
    "赠与行为在法律规定下具有法律效力，赠与人有权撤销赠与，撤销之前赠与的行为必须被执行。",
}


def groups(name: str) -> list[Any]:
    found: list[Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return found


def generated() -> Iterator[tuple[str, str, Record, str]]:
    """Yield (language, label, item, the step that drops it)."""
    for group in groups("generated.yaml"):
        language = group["language"]
        for label, fields in [*(("", row) for row in group["good"]), *((row[0], row[1:]) for row in group["bad"])]:
            item = Record(*fields)
            why = unworthy(item, language, "simplified" if language == "zh" else "")
            yield language, label, item, why[0] if why else ""


def rewritten() -> Iterator[tuple[str, str, str, str]]:
    """Yield (language, label, answer, the step that drops it)."""
    for group in groups("rewritten.yaml"):
        texts = [
            *(("", text) for text in group["good"]),
            *(("", framed) for framed, _ in group["framed"]),
            *group["bad"],
        ]
        for label, text in texts:
            why = problem(group["question"], group["original"], unframed(text), group["language"])
            yield group["language"], label, text, why[0] if why else ""


def rates() -> str:
    lines = []
    for name, found in (("generated", generated()), ("rewritten", rewritten())):
        counts = Counter((language, bool(label), bool(step)) for language, label, _, step in found)
        for language in ("en", "zh"):
            bad, good = (sum(counts[language, wrong, step] for step in (True, False)) for wrong in (True, False))
            missed, lost = counts[language, True, False], counts[language, False, True]
            lines.append(f"{name} {language}: {missed} of {bad} bad ones kept, {lost} of {good} good ones dropped")
    return "\n".join(lines)


@pytest.mark.slow
def test_there_are_enough_of_both() -> None:
    for found in (list(generated()), list(rewritten())):
        assert len(found) >= 150
        for language in ("en", "zh"):
            assert sum(one[0] == language and not one[1] for one in found) >= 25
            assert sum(one[0] == language and bool(one[1]) for one in found) >= 40


def test_good_items_are_kept() -> None:
    assert [(item, step) for _, label, item, step in generated() if not label and step] == []


def test_bad_items_are_dropped() -> None:
    assert {item.output for _, label, item, step in generated() if label and not step} == MISSED_ITEMS


def test_good_answers_replace_the_original() -> None:
    assert [(text, step) for _, label, text, step in rewritten() if not label and step] == []


def test_bad_answers_never_do() -> None:
    assert {text for _, label, text, step in rewritten() if label and not step} == MISSED


@pytest.mark.parametrize(("text", "answer"), groups("framed.yaml"))
def test_what_models_write_around_an_answer_is_cut_off(text: str, answer: str) -> None:
    assert unframed(text) == answer


@pytest.mark.parametrize("group", groups("rewritten.yaml"), ids=lambda group: group["question"][:20])
def test_what_stands_around_an_answer_is_cut_off(group: dict[str, Any]) -> None:
    assert [unframed(framed) for framed, _ in group["framed"]] == [answer for _, answer in group["framed"]]
    assert [unframed(text) for text in group["good"] if not text.startswith("答案：")] == [
        text for text in group["good"] if not text.startswith("答案：")
    ]


if __name__ == "__main__":
    print(rates())
