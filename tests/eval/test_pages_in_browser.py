"""The two pages in a real browser: a person votes with the keys, a reader filters the result."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from eval.judging.people import Ballot
from eval.records.folder import Folder
from tests.checkout import ROOT
from tests.endpoint import Endpoint
from tests.eval.commands.test_judge import eval_command, metrics, prefers_device


def in_a_thread(*arguments: object) -> None:
    """Run a command beside Playwright, which keeps an event loop in this thread."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(eval_command, *arguments).result()


def ballot_of(run: Path, name: str = "human", who: tuple[str, ...] = ()) -> Ballot:
    folder = Folder(run)
    return Ballot(folder, name, folder.pairings(folder.questions, who), "en")


@pytest.fixture
def site(run: Path) -> Iterator[str]:
    found = ballot_of(run).site()
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_address[1]}/"
    found.shutdown()
    found.server_close()


def test_a_person_votes_blind_with_the_keys_and_goes_on_later(page: Any, site: str, run: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(site)
    page.wait_for_selector("#question:not(:empty)")
    votes = page.locator("#vote2").bounding_box()
    assert votes["y"] + votes["height"] <= 844, "in sight on a phone"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for done in range(1, 5):
        first, second = page.inner_text("#first"), page.inner_text("#second")
        key = "=" if first == second else "1" if "device" in first else "2"
        page.keyboard.press(key)
        page.wait_for_function(f"document.getElementById('count').textContent.startsWith('{done} /')")
    assert "tuned" not in page.content()
    assert "base" not in page.content().replace("baseline", "")
    assert len((run / "judgments" / "human.jsonl").read_text().splitlines()) == 4
    page.keyboard.press("u")
    page.wait_for_function("document.getElementById('count').textContent.startsWith('3 /')")
    page.reload()  # and a new program, as after a restart
    assert len(ballot_of(run).votes) == 3
    page.wait_for_selector("#question:not(:empty)")
    for done in range(4, 7):
        first, second = page.inner_text("#first"), page.inner_text("#second")
        page.click("#equal" if first == second else "#vote1" if "device" in first else "#vote2")
        page.wait_for_function(f"document.getElementById('count').textContent.startsWith('{done} /')")
    assert page.is_visible("#end")
    page.click("#undo")  # also the last vote can be taken back
    page.wait_for_function("document.getElementById('count').textContent.startsWith('5 /')")
    first, second = page.inner_text("#first"), page.inner_text("#second")
    page.keyboard.press("=" if first == second else "1" if "device" in first else "2")
    page.wait_for_selector("#end:not([hidden])")
    eval_command("judge", "--run", run)
    row = next(row for row in metrics(run)["comparisons"] if row["judge"] == "human")
    assert (row["wins"], row["ties"], row["losses"]) == (4, 2, 0)
    (agreement,) = metrics(run)["agreement"]
    assert agreement["pairs"][0]["kappa"] == 1


def test_votes_of_changed_answers_do_not_count(run: Path) -> None:
    ballot = ballot_of(run)
    for number in range(6):
        ballot.vote(number, "1")
    path = run / "answers" / "tuned.jsonl"
    path.write_text(path.read_text().replace("Thing 0 is", "Thing 0 was"))
    assert len(ballot_of(run).votes) == 5
    output = eval_command("judge", "--run", run).output
    assert "1 verdicts do not count: they judged older answers" in output


def test_votes_on_contestants_that_are_left_out_now_stay(run: Path) -> None:
    rows = (run / "answers" / "base.jsonl").read_text().replace('"base"', '"third"')
    (run / "answers" / "third.jsonl").write_text(rows)
    every = ballot_of(run)
    assert len(every.pairings) == 18
    for number in range(18):
        every.vote(number, "1")
    only = ballot_of(run, who=("base", "tuned"))
    assert len(only.votes) == 6
    only.undo()
    only.vote(next(n for n in range(6) if n not in only.votes), "=")
    assert len(ballot_of(run).votes) == 18


def test_two_people_see_other_orders_and_have_votes_of_their_own(run: Path) -> None:
    one, other = ballot_of(run, "human-anna"), ballot_of(run, "human-bo")
    assert [p.sha256 for p in one.pairings] == [p.sha256 for p in ballot_of(run, "human-anna").pairings]
    assert [p.sha256 for p in one.pairings] != [p.sha256 for p in other.pairings]
    one.vote(0, "1")
    assert other.votes == {}


@pytest.mark.parametrize("chinese", [False, True])
def test_a_reader_filters_the_result(page: Any, run: Path, endpoint: Endpoint, chinese: bool) -> None:
    evil = "<img src=x onerror=alert(1)>"
    for path in [run / "questions.jsonl", *(run / "answers").glob("*.jsonl")]:
        text = path.read_text().replace("I do not know.", f"I do not know. {evil}")
        path.write_text(text.replace("What is thing", "请问什么是物件") if chinese else text)

    def biased(body: dict, number: int) -> str:
        if body["model"] == "biased":
            return f"Because {evil}\nAssistant 1 is better than Assistant 2"
        return prefers_device(body, number)

    endpoint.behaviour = biased
    in_a_thread("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--judge", f"biased@{endpoint.url}")
    page.goto((run / "result.html").as_uri())
    assert page.locator("article").count() == 12
    page.select_option("#judge", "fake")
    page.select_option("#verdict", "win")
    assert page.locator("article").count() == 4
    assert page.locator("article .side.best").count() == 4
    page.select_option("#verdict", "")
    page.select_option("#judge", "")
    page.select_option("#disagree", "orders")
    assert page.locator("article").count() == 6
    page.locator("article details:last-child summary").first.click()
    assert "Assistant 1 is better than Assistant 2" in page.locator("article").first.inner_text()
    page.select_option("#disagree", "")
    page.fill("#search", "3")
    page.wait_for_function("document.querySelectorAll('article').length === 2")
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.lang") == ("zh-CN" if chinese else "en")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shots = os.environ.get("SCREENSHOTS")
    if shots:
        page.fill("#search", "")
        page.screenshot(path=f"{shots}/result-{'zh' if chinese else 'en'}.png", full_page=True)


@pytest.mark.slow
def test_two_thousand_pairs_are_searched_without_a_wait_and_many_models_begin_with_the_ranking(
    page: Any, run: Path
) -> None:
    ids = [f"q{n}" for n in range(200)]
    question = "How does thing {} work, and who may use it?"
    (run / "questions.jsonl").write_text(
        "".join(
            json.dumps({"id": i, "question": question.format(i), "reference": f"Thing {i} is a device."}) + "\n"
            for i in ids
        )
    )
    for number, who in enumerate(("tuned", "base", "one", "two", "three")):
        long = " ".join(f"word{(number * 7 + step) % 900}" for step in range(300))
        rows = [{"id": i, "question": question.format(i), "answer": f"{i} of {who}: {long}"} for i in ids]
        (run / "answers" / f"{who}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    in_a_thread("judge", "--run", run, "--judge", "reference")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((run / "result.html").as_uri())
    assert page.locator("h2").first.inner_text().startswith("Bradley-Terry ranking by reference")
    assert not page.locator("article").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#pairs > summary").click()
    page.wait_for_selector("article")
    assert page.inner_text("#count") == "2000 / 2000 pairs"
    for text, left in (("q17 of one", 4), ("nothing says this", 0), ("", 2000)):
        page.fill("#search", text)
        page.wait_for_function(f"document.getElementById('count').textContent.startsWith('{left} /')")
        assert page.locator("article").count() <= 60, "cards are made as the reader comes to them"
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function("document.querySelectorAll('article').length > 30")


@pytest.mark.slow
def test_the_server_takes_no_votes_from_other_sites_and_no_nonsense(site: str) -> None:
    def post(body: bytes, kind: str, path: str = "vote", host: str = "") -> int:
        headers = {"Content-Type": kind} | ({"Host": host} if host else {})
        request = urllib.request.Request(site + path, body, headers)
        try:
            return urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            return error.code

    assert post(b'{"number": 0, "vote": "1"}', "text/plain") == 415
    good = b'{"number": 0, "vote": "1"}'
    assert post(good, "application/json", path="votes") == post(good, "application/json", path="") == 404
    port = site.split(":")[2].strip("/")
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil.example"):
        assert post(good, "application/json", host=host) == post(b"{}", "application/json", "undo", host) == 421
    with pytest.raises(urllib.error.HTTPError, match="421"):
        urllib.request.urlopen(urllib.request.Request(site + "state", headers={"Host": "evil.example"}))
    for bad in (
        b"", b"[]", b"{}", b"{", b'{"number": 99, "vote": "1"}', b'{"number": -1, "vote": "1"}', b'{"vote": "1"}',
        b'{"number": 0, "vote": "3"}', b'{"number": "0", "vote": "1"}', b'{"number": 0.0, "vote": "1"}',
        b'{"number": true, "vote": "1"}', b'{"number": 0, "vote": ["1"]}', b'{"number": 0}',
        b'{"number": 0, "vote": "1"' + b" " * 2000 + b"}",
    ):  # fmt: skip
        assert post(bad, "application/json") == 400
    assert post(good, "application/json", host=f"localhost:{port}") == 200


@pytest.mark.slow
def test_the_command_serves_the_page_and_shows_the_result_at_the_end(run: Path) -> None:
    command = [sys.executable, "-m", "eval", "annotate", "--run", str(run), "--name", "anna", "--no-open"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout
    said = process.stdout.readline()
    assert said.startswith("0 of 6 pairs have a vote")
    url = re.search(r"http://\S+", said)
    assert url
    request = urllib.request.Request(
        url[0] + "vote", b'{"number": 2, "vote": "="}', {"Content-Type": "application/json"}
    )
    assert json.load(urllib.request.urlopen(request))["done"] == 1
    process.send_signal(signal.SIGINT)
    shown = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert "human-anna" in shown
    assert "0/1/0" in shown


def test_names_that_cannot_be_and_ports_that_are_taken(run: Path, endpoint: Endpoint) -> None:
    with pytest.raises(UserError, match="cannot name a judge"):
        eval_command("annotate", "--run", run, "--name", "a/b", "--no-open")
    with pytest.raises(UserError, match=r"port \d+ cannot be used"):
        eval_command("annotate", "--run", run, "--port", endpoint.port, "--no-open")
