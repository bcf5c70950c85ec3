"""The page of `make chat`, in a real browser against a streaming stand-in server: ask, read, mark, start over."""

import threading
from pathlib import Path

from common.llm.endpoint import Endpoint as Address
from common.local_page import address
from eval.answering.chat import Side, Talk
from eval.records.folder import Folder


class Said(Side):
    """A model that says one thing, in pieces."""

    def ask(self, text, settings):
        yield from (f"{self.name} on ", text, " <b>x</b>")
        self.turns = [*self.turns, {"role": "user", "content": text}, {"role": "assistant", "content": "said"}]


def sides():
    return [Said(name, Address(name, "http://127.0.0.1:9/v1")) for name in ("base", "tuned")]


def test_a_conversation_in_the_page(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    talk = Talk(sides(), Path("chat"), {})
    site = talk.site(0)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(address(site))
    assert page.locator("[data-mark='1']").is_disabled()
    page.fill("#text", "gout?")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('.side .text')[1]?.textContent === 'tuned on gout? <b>x</b>'")
    page.click("[data-mark='2']")
    page.wait_for_function("document.getElementById('kept').textContent === 'kept: 1'")
    assert page.locator("[data-mark='1']").is_disabled(), "a pair is marked once"
    vote = Folder(Path("chat")).all_judgments["human-chat"][0]
    assert (vote.winner, vote.first) == ("tuned", "base")
    page.click("#new")
    page.wait_for_function("document.getElementById('asked').textContent === ''")
    assert talk.sides[0].turns == []
    page.close()
    site.shutdown()
    site.server_close()


def test_what_cannot_be_asked_or_marked(tmp_path):
    talk = Talk(sides(), tmp_path / "chat", {})
    for call, body in ((talk.mark, {"mark": "1"}), (talk.ask, {"text": "  "}), (talk.mark, {"mark": "9"})):
        try:
            call(body)
        except ValueError:
            continue
        raise AssertionError(body)
