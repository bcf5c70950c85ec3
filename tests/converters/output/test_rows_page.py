"""The page of rows in a real browser, and what becomes of the decisions made there."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from converters.convert import convert
from converters.listing import summary
from converters.output.rows_page import Index, Rows, server
from converters.registry import load_task
from converters.variants import convert_variant
from tests.checkout import ROOT

WORDS = ["apple", "bread", "chair", "door", "engine", "flower", "garden", "hammer", "island", "jacket", "kettle"]


def row(number: int) -> dict[str, str]:
    one, other = WORDS[number % 11], WORDS[(number // 11) % 11]
    return {
        "instruction": f"How does the {one} of house {number} differ from the {other}?",
        "input": "",
        "output": f"The {one} number {number} is made for this house; the {other} was bought long ago by its owner.",
    }


@pytest.fixture
def rows(workplace: Path, questions: Path) -> list[dict[str, str]]:
    """A task of one's own with 60 rows; one is in Chinese, two say the same, one is markup, one has no answer."""
    made = [row(number) for number in range(60)]
    made[7]["instruction"] = "请问七号房子里的椅子和另一把有什么不同？"
    made[7]["output"] = "这所房子里的椅子是为这所房子做的，而另一把是主人很久以前买的。"
    made[9] = {**made[8], "output": made[8]["output"].upper()}
    made[11]["output"] += " <img src=x onerror=alert(1)> (by hand)"
    made[13]["output"] = ""
    made[20]["instruction"] = made[21]["instruction"]
    (workplace / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in made))
    (workplace / "tasks").mkdir()
    (workplace / "tasks/house.yaml").write_text(
        "source: rows.jsonl\ncolumns: {instruction: instruction, output: output}\n"
        "filters: [{column: instruction, not_matches: 'house 30'}]\nsettings: {decontaminate: false, html: false}\n"
    )
    return made


def converted(**given: Any) -> dict[str, Any]:
    return convert(load_task("house"), given=given, processes=1)


@contextmanager
def served(task: str = "house") -> Iterator[str]:
    site = server(Rows(task))
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{site.server_address[1]}/"
    site.shutdown()
    site.server_close()


def shown(page: Any, count: int) -> None:
    """Wait until so many rows are found."""
    page.wait_for_function(
        f"document.getElementById('count').textContent.replace(/.*\\/ /, '') === '{count}'", timeout=10_000
    )


def search(page: Any, text: str, count: int) -> Any:
    page.fill("#search", text)
    page.wait_for_function("text => document.getElementById('rows').dataset.search === text.trim()", arg=text)
    shown(page, count)
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    return page.locator("article").first


def saved(page: Any, text: str) -> None:
    page.wait_for_function(f"document.querySelector('article').textContent.includes({text!r})")


def test_a_reader_filters_and_searches_kept_and_rejected_rows(rows: Any, page: Any) -> None:
    converted()
    with served() as site:
        page.goto(site)
        shown(page, 60)
        assert page.locator("article").count() == 20
        page.click("#next")
        page.wait_for_function("document.getElementById('count').textContent.startsWith('21')")
        page.select_option("#files", "rejected")
        shown(page, 4)
        page.select_option("#step", "language")
        shown(page, 1)
        assert "这所房子" in page.inner_text("article")
        page.select_option("#step", "duplicate")
        saved(page, "the row it repeats")
        assert page.inner_text("article").count("number 8") == 1
        page.select_option("#step", "")
        page.select_option("#files", "train,val,test,rejected")
        assert "alert(1)" in search(page, "ONERROR", 1).inner_text()
        assert page.locator("img").count() == 0
        assert search(page, "output", 0).count() == 0  # a key is no text
        search(page, "椅子", 1)
        search(page, "", 60)
        page.select_option("#kind", "same question")
        shown(page, 2)
        page.select_option("#kind", "")
        page.select_option("#order", "longest")
        saved(page, "onerror")
        first = []
        for _ in range(2):
            page.click("#sample")
            shown(page, 60)
            page.wait_for_function("document.getElementById('order').value === 'random'")
            first.append(page.locator("article .tags").all_inner_texts())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if shots := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{shots}/rows.png", full_page=False)


@pytest.mark.slow
def test_rows_are_dropped_kept_and_edited_by_hand_and_stay_so(  # noqa: PLR0915 - one sitting
    rows: Any, page: Any, read_rows: Callable[[str], list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    before = converted()
    with served() as site:
        page.goto(site)
        shown(page, 60)
        search(page, "number 40 ", 1)
        page.keyboard.press("d")
        saved(page, "will be dropped")
        search(page, "number 41 ", 1)
        page.keyboard.press("e")
        page.fill("textarea.answer", "Nobody knows.")
        page.click("button.save")
        saved(page, "will read as follows")
        search(page, "椅子", 1)
        page.keyboard.press("p")
        saved(page, "will be kept")
        search(page, "house 30 ", 1)  # left out by a filter
        page.keyboard.press("p")
        saved(page, "will be kept")
        search(page, "NUMBER 8 ", 2)
        page.keyboard.press("j")
        assert page.locator("article.at button.keep").count() == 0  # the same row is there already
        search(page, "house 13 ", 1)  # has no answer: it can only be written
        page.keyboard.press("p")
        page.keyboard.press("e")
        page.fill("textarea.answer", "The door is wider.")
        page.click("button.save")
        saved(page, "will read as follows")
        search(page, "number 42 ", 1)
        page.keyboard.press("d")
        saved(page, "will be dropped")
        page.keyboard.press("u")
        page.wait_for_selector("button.drop")
        assert "5 decisions" in page.inner_text("#pending")
        assert len(read_rows("data/house/decisions.jsonl")) == 5
        search(page, "", 60)
        page.select_option("#kind", "decided")
        shown(page, 5)
        after = converted()
        assert "decisions.jsonl changed since" in capsys.readouterr().out
        assert "by hand dropped 1, kept 3, edited 1" in summary(after)
        page.reload()
        shown(page, 60)
        assert not page.is_visible("#pending")
        assert "by_hand" in search(page, "number 40 ", 1).inner_text()
        page.keyboard.press("u")
        page.wait_for_selector("#pending:not([hidden])")
        assert len(read_rows("data/house/decisions.jsonl")) == 4
    kept = [one for split in ("train", "val", "test") for one in read_rows(f"data/house/{split}.jsonl")]
    assert after["by_hand"] == {"dropped": 1, "kept": 3, "edited": 1, "found no row": 0}
    assert after["rows"] == before["rows"] == len(kept) + len(read_rows("data/house/rejected.jsonl"))
    told = {one["instruction"]: one["output"] for one in kept}
    assert rows[40]["instruction"] not in told
    assert told[rows[41]["instruction"]] == "Nobody knows."
    assert told[rows[7]["instruction"]] == rows[7]["output"]
    assert told[rows[30]["instruction"]] == rows[30]["output"]
    assert told[rows[13]["instruction"]] == "The door is wider."
    # Another format, and settings that drop other rows: what was decided holds.
    again = converted(format="sharegpt", min_output=50)
    assert again["by_hand"] == {"dropped": 0, "kept": 3, "edited": 1, "found no row": 0}
    variant = convert_variant("house~raw", given={"exact": False}, processes=1)
    assert variant["by_hand"]["kept"] >= 2  # one may be held out


def test_a_decision_outlives_other_rows_and_is_told_when_it_finds_none(rows: Any, workplace: Path) -> None:
    converted()
    page = Rows("house")
    found = page.rows({"search": "number 40 "})["rows"][0]
    page.decide({"key": found["key"], "decision": "drop"})
    source = workplace / "rows.jsonl"
    source.write_text("".join(sorted(source.read_text().splitlines(keepends=True), reverse=True)).upper())
    source.write_text(source.read_text().replace('"INSTRUCTION"', '"instruction"').replace('"OUTPUT"', '"output"'))
    assert converted()["by_hand"]["dropped"] == 1
    source.write_text("\n".join(line for line in source.read_text().splitlines() if "NUMBER 40 " not in line))
    card = converted()
    assert card["by_hand"] == {"dropped": 0, "kept": 0, "edited": 0, "found no row": 1}
    assert "found no row 1" in summary(card)


def test_what_cannot_be_decided_is_refused(rows: Any, workplace: Path) -> None:
    with pytest.raises(UserError, match="not been converted"):
        Rows("house")
    converted()
    convert_variant("house~raw", given={"near": 0}, processes=1)
    page = Rows("house")
    key = page.rows({})["rows"][0]["key"]
    text, edit = {"instruction": "a", "input": "", "output": "b"}, {"key": key, "decision": "edit"}
    for wrong in (
        {"key": "x", "decision": "drop"}, {"decision": "drop"}, {"key": key, "decision": "burn"}, edit,
        {**edit, "row": {**text, "output": " "}}, {**edit, "row": {**text, "history": [["a"]]}},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"no |without"):
            page.decide(wrong)
    with pytest.raises(UserError, match="no decisions of its own"):
        Rows("house~raw").decide({"key": key, "decision": "drop"})
    for wrong in ({"order": "best"}, {"first": -1}, {"seed": "1"}, {"what": 1}):
        with pytest.raises(ValueError, match="no such rows"):
            page.rows(wrong)
    assert not (workplace / "data/house/decisions.jsonl").exists()
    (workplace / "data/house/decisions.jsonl").write_text('{"key": "0123456789abcdef", "decision": "drap"}\n')
    with pytest.raises(UserError, match=r"line 1: no decision: drop, keep or edit"):
        converted()


@pytest.mark.slow
def test_the_command_serves_the_page(rows: Any, workplace: Path) -> None:
    converted()
    command = [sys.executable, "-m", "converters", "rows", "--task", "house", "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert process.stdout
    said = process.stdout.readline()
    assert said.startswith("60 rows at")
    url = re.search(r"http://\S+", said)
    assert url

    def asked(path: str, **body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        return json.load(
            urllib.request.urlopen(urllib.request.Request(url[0] + path, json.dumps(body).encode(), headers))
        )

    first = asked("rows", files="train")["rows"][0]
    assert asked("decide", key=first["key"], decision="drop")["pending"]
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=30)[0]
    assert "not in the rows yet: make convert TASK=house" in told
    assert process.returncode == 0


def test_conversations_are_shown_turn_by_turn(rows: Any, workplace: Path) -> None:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}] * 2
    folder = workplace / "data/house"
    converted()
    line = json.dumps(
        {"id": "house-00000000000000ab", "conversations": turns, "system": "Be kind."}, separators=(",", ":")
    )
    (folder / "train.jsonl").write_text(line + "\n")
    assert Index("house").rows["turns"][0] == 2
    only = Rows("house").rows({"files": "train", "kind": "several turns"})["rows"]
    assert only[0]["text"] == {
        "instruction": "Hi", "input": "", "output": "Hello", "history": [("Hi", "Hello")], "system": "Be kind."
    }  # fmt: skip
