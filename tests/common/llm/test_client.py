"""The client against a server that misbehaves on purpose: a retry, a counted failure or one clear line."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from common.errors import UserError
from common.llm.cache import Cache
from common.llm.client import Client, Request, gather
from common.llm.endpoint import Endpoint as Place
from common.llm.failures import _retry_after
from common.llm.reply import Reply
from tests.common.llm.calls import KEY, ask, short_waits  # noqa: F401
from tests.endpoint import DropError, Endpoint, completion, error


def bad_once(answer: Any):
    """A behaviour that fails the first call and answers the second."""

    def behaviour(body: dict, number: int) -> Any:
        if number:
            return "fine"
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    return behaviour


MENDED = {
    "429": lambda: error(429, "slow down"),
    "500": lambda: error(500, "oops"),
    "503 in HTML": lambda: web.Response(status=503, text="<html>busy</html>"),
    "408": lambda: error(408, "too slow"),
    "dropped connection": DropError(),
    "200 that is not JSON": lambda: web.Response(text="<html>login</html>"),
    "200 that is cut short": lambda: web.Response(text='{"choices": [{"message": {"content": "fi'),
    "200 without choices": lambda: web.json_response({"choices": []}),
    "200 with an empty body": lambda: web.Response(text=""),
    "200 with a list": lambda: web.json_response([1]),
    "content that is no text": lambda: web.json_response({"choices": [{"message": {"content": 7}}]}),
}


@pytest.mark.parametrize("answer", MENDED.values(), ids=MENDED)
def test_what_a_retry_can_mend_is_tried_again(endpoint: Endpoint, answer: Any) -> None:
    endpoint.behaviour = bad_once(answer)
    (reply,) = ask(endpoint)
    assert (reply.text, reply.error, reply.attempts) == ("fine", "", 2)


@pytest.mark.slow
@pytest.mark.parametrize("answer", MENDED.values(), ids=MENDED)
def test_what_no_retry_mends_is_a_counted_failure_and_is_not_kept(endpoint: Endpoint, answer: Any) -> None:
    def always(body: dict, number: int) -> Any:
        return bad_once(answer)(body, 0)

    endpoint.behaviour = always
    (reply,) = ask(endpoint, attempts=3)
    assert reply.error
    assert reply.text == ""
    assert len(endpoint.calls) == {"http 429": 12, "malformed": 2}.get(reply.error.partition(":")[0], 3)
    endpoint.behaviour = lambda body, number: "fine now"
    assert ask(endpoint)[0].text == "fine now"


def test_a_body_that_ends_too_soon_is_tried_again(endpoint: Endpoint) -> None:
    """Content-Length promises more than is sent."""

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"choices"')
        assert request.transport
        request.transport.close()
        return response

    class Cut(web.StreamResponse):
        async def prepare(self, request: Any) -> Any:
            return await cut(request)

    endpoint.behaviour = bad_once(Cut())
    assert ask(endpoint)[0].text == "fine"


@pytest.mark.slow
def test_a_timeout_is_tried_again(endpoint: Endpoint) -> None:
    endpoint.first_latency = 3
    (reply,) = ask(endpoint, timeout=1)
    assert (reply.text, reply.attempts) == ("hello", 2)


@pytest.mark.slow
def test_a_server_that_hangs_is_given_up_sooner(endpoint: Endpoint) -> None:
    endpoint.latency = 30
    (reply,) = ask(endpoint, timeout=0.2)
    assert (reply.error, reply.attempts) == ("timeout: no reply in time", 3)


def test_a_local_server_may_take_its_time(endpoint: Endpoint) -> None:
    """Thirty calls that wait in one queue: the last is answered when all others are."""
    assert (
        Place.from_environment("m", endpoint.url).timeout > Place.from_environment("m", "https://example.com").timeout
    )


@pytest.mark.slow
def test_retry_after_is_waited_for(endpoint: Endpoint) -> None:
    endpoint.behaviour = bad_once(lambda: error(429, "slow down", {"Retry-After": "1"}))
    started = time.monotonic()
    assert ask(endpoint)[0].text == "fine"
    assert time.monotonic() - started >= 1.0


def test_a_wait_that_is_too_long_is_a_failure_and_not_a_hang(endpoint: Endpoint) -> None:
    endpoint.behaviour = lambda body, number: error(429, "tomorrow", {"Retry-After": "86400"})
    assert "asked to wait 86400 s" in ask(endpoint)[0].error


@pytest.mark.slow
def test_others_go_on_while_one_waits(endpoint: Endpoint) -> None:
    """A call that was told to wait gives its slot to the next."""
    endpoint.behaviour = bad_once(lambda: error(429, "slow down", {"Retry-After": "1"}))
    replies = ask(endpoint, 20, concurrency=1)
    assert [reply.text for reply in replies] == ["fine"] * 20
    assert endpoint.calls.index(endpoint.calls[0], 1) > 1


FATAL = {
    "a wrong key": (lambda: error(401, f"Incorrect API key provided: {KEY}"), "refused the key"),
    "a key without rights": (
        lambda: error(403, f"{KEY} is of another country"),
        r"refused the key.*\*\*\* is of another",
    ),
    "a wrong model": (lambda: error(404, "The model `m` does not exist"), "does not know the model 'm'"),
    "no credit": (lambda: error(429, "quota", code="insufficient_quota"), "no credit left"),
}


@pytest.mark.parametrize(("answer", "said"), FATAL.values(), ids=FATAL)
def test_what_only_the_user_can_mend_ends_at_once_in_one_line(endpoint: Endpoint, answer: Any, said: str) -> None:
    endpoint.behaviour = lambda body, number: answer()
    with pytest.raises(UserError, match=said) as caught:
        ask(endpoint, 50, concurrency=4)
    assert len(endpoint.calls) < 20
    assert KEY not in caught.value.message + caught.value.hint


def test_nothing_listens(endpoint: Endpoint) -> None:
    endpoint.stop()
    with pytest.raises(UserError, match=r"nothing answers at http://127\.0\.0\.1"):
        ask(endpoint, 50)


def test_a_url_without_a_chat_api(endpoint: Endpoint) -> None:
    place = Place("m", endpoint.url.removesuffix("/v1"))

    async def main() -> None:
        async with Client(Cache()) as client:
            await client.ask(place, Request([{"role": "user", "content": "q"}], {}))

    with pytest.raises(UserError, match="there is no chat API at") as caught:
        asyncio.run(main())
    assert "/v1" in caught.value.hint


def test_a_proxy_is_not_asked_for_a_server_on_this_machine(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert ask(endpoint)[0].text == "hello"


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1:1/v1", "http://127.0.0.1:1/v1?key=secret"])
def test_a_url_that_holds_a_secret_is_refused_without_saying_it(url: str) -> None:
    with pytest.raises(UserError, match="no password and no key") as caught:
        Place.from_environment("m", url)
    assert "secret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("key", ["sk-“quoted”", "sk-a\nb"])
def test_a_key_that_was_copied_badly(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(UserError, match="holds characters that no key has") as caught:
        Place.from_environment("gpt-4o")
    assert key not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), ("", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_retry_after_in_all_its_forms(header: str, seconds: float | None) -> None:
    assert _retry_after({"retry-after": header}, "") == seconds
    assert _retry_after({"retry-after-ms": "1500"}, "") == 1.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Paris.", "Paris."),
        ("<think>\n\n</think>\n\nParis.", "Paris."),
        ("It asks for a capital.</think>Paris.", "Paris."),  # the template had opened it
        ("<think>It asks for a", ""),
        ("", ""),
    ],
)
def test_thinking_is_no_part_of_what_was_said(text: str, said: str) -> None:
    assert Reply(text).said == said


def test_why_calls_are_tried_again_is_told_once(endpoint: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.behaviour = lambda body, number: error(500, "boom") if number < 4 else "fine"
    ask(endpoint, 3)
    assert capsys.readouterr().err.count("http 500: boom; such calls are tried again") == 1


REFUSALS = {
    "Azure's error": lambda: error(400, "filtered", code="content_filter"),
    "a finish reason": lambda: completion("", "content_filter"),
    "a refusal field": lambda: completion(None, refusal="I cannot."),
}


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
def test_a_content_filter_is_an_outcome_and_is_asked_once(endpoint: Endpoint, answer: Any) -> None:
    endpoint.behaviour = lambda body, number: answer()
    for _ in range(2):
        (reply,) = ask(endpoint)
        assert reply.finish_reason in ("content_filter", "refusal")
        assert not reply.error
    assert len(endpoint.calls) == 1


def test_settings_that_a_newer_model_refuses_are_said_in_its_way(endpoint: Endpoint) -> None:
    def picky(body: dict, number: int) -> Any:
        if "max_tokens" in body:
            return error(400, "Unsupported parameter", param="max_tokens", code="unsupported_parameter")
        return "fine"

    endpoint.behaviour = picky
    assert [reply.text for reply in ask(endpoint, 3, concurrency=1)] == ["fine"] * 3
    assert endpoint.calls[-1]["max_completion_tokens"] == 50
    assert len(endpoint.calls) == 4  # it is learned once


def test_the_pool_holds_its_size(endpoint: Endpoint) -> None:
    endpoint.latency = 0.05
    ask(endpoint, 40, concurrency=8)
    assert endpoint.most_in_flight == 8


@pytest.mark.slow
def test_calls_a_minute_are_held(endpoint: Endpoint) -> None:
    started = time.monotonic()
    ask(endpoint, 6, per_minute=600)
    assert time.monotonic() - started >= 0.4


def test_every_call_is_kept_by_content_and_never_made_twice(endpoint: Endpoint) -> None:
    ask(endpoint, 5)
    ask(endpoint, 8)
    assert len(endpoint.calls) == 8
    ask(endpoint, 1, model="another")
    assert len(endpoint.calls) == 9


def test_the_same_call_asked_for_twice_at_once_is_made_once(endpoint: Endpoint) -> None:
    endpoint.latency = 0.1
    place = Place("m", endpoint.url)
    request = Request([{"role": "user", "content": "q"}], {})

    async def main() -> list[Reply]:
        async with Client(Cache()) as client:
            return await gather(client.ask(place, request) for _ in range(9))

    assert [reply.text for reply in asyncio.run(main())] == ["hello"] * 9
    assert len(endpoint.calls) == 1


def test_the_key_is_in_no_file_and_in_no_message(endpoint: Endpoint, workplace: Path) -> None:
    ask(endpoint, 3)
    endpoint.behaviour = lambda body, number: error(400, f"bad request with Bearer {KEY}")  # some servers quote it
    assert ask(endpoint, 4)[3].error == "http 400: bad request with Bearer ***"
    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"
    for path in workplace.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path
    assert KEY not in repr(Place("m", endpoint.url, KEY))


def test_a_full_disk_is_one_clear_line(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite is told that its file may not grow, which is what a full disk is to it."""
    cache = Cache()
    pages = cache._db.execute("PRAGMA page_count").fetchone()[0]
    cache._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(UserError, match="no space left on disk"):
        for number in range(1000):
            cache.put(str(number), "x" * 1000)


def test_a_broken_cache_is_one_clear_line(workplace: Path) -> None:
    (workplace / "cache").mkdir()
    (workplace / "cache" / "replies.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(UserError, match="cannot be used"):
        Cache()
