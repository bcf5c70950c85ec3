"""Endpoints as they really are: each refusal, shape and habit that people reported, with what is right for it."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from aiohttp import web

from common.errors import UserError
from common.llm.cache import Cache
from common.llm.client import Client, Request
from common.llm.endpoint import Endpoint as Place
from common.llm.endpoint import split_model
from common.llm.failures import MalformedError, RefusedError, classify
from common.llm.reply import Reply, read_completion
from tests.common.llm.calls import ask, short_waits  # noqa: F401
from tests.endpoint import Endpoint, completion, error


def put(server: Endpoint, settings: dict[str, Any], *, extra: dict[str, Any] | None = None, **options: Any) -> Reply:
    """Ask one question with these settings."""
    place = Place("m", server.url, timeout=5, extra=extra or {})

    async def main() -> Reply:
        async with Client(Cache()) as client:
            return await client.ask(place, Request([{"role": "user", "content": "q"}], settings, **options))

    return asyncio.run(main())


REFUSED_SETTINGS = {
    "only 1, no param": error(400, "invalid temperature: only 1 is allowed for this model"),
    "no code": error(400, "Unsupported parameter: 'temperature' is not supported with this model.", param=""),
    "a wrong param": error(400, "'temperature' is not supported with this model.", param="model", code="unsupported"),
    "422": error(422, "extra fields not permitted: temperature"),
}


@pytest.mark.parametrize("why", REFUSED_SETTINGS)
def test_a_setting_that_a_refusal_names_is_left_out(endpoint: Endpoint, why: str) -> None:
    answer = {"status": REFUSED_SETTINGS[why].status, "body": REFUSED_SETTINGS[why].body}

    def picky(body: dict[str, Any], number: int) -> Any:
        if "temperature" in body:
            return web.Response(body=answer["body"], status=answer["status"], content_type="application/json")
        return "fine"

    endpoint.behaviour = picky
    reply = put(endpoint, {"temperature": 0.0, "max_tokens": 50})
    assert (reply.text, reply.left_out) == ("fine", ["temperature"])
    assert endpoint.calls[-1]["max_tokens"] == 50
    assert len(endpoint.calls) == 2


def test_several_settings_are_refused_one_after_another(endpoint: Endpoint) -> None:
    def o_series(body: dict[str, Any], number: int) -> Any:
        if "max_tokens" in body:
            return error(400, "'max_tokens' is not supported. Use 'max_completion_tokens' instead.", param="max_tokens")
        if "temperature" in body or "seed" in body:
            name = "temperature" if "temperature" in body else "seed"
            return error(400, f"Unsupported value: '{name}'", param=name)
        return "fine"

    endpoint.behaviour = o_series
    reply = put(endpoint, {"temperature": 0.0, "seed": 1, "max_tokens": 50})
    assert (reply.text, sorted(reply.left_out)) == ("fine", ["seed", "temperature"])
    assert endpoint.calls[-1]["max_completion_tokens"] == 50


def test_a_range_of_max_tokens_is_kept_to(endpoint: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    def short(body: dict[str, Any], number: int) -> Any:
        if body["max_tokens"] > 512:
            return error(400, "Invalid max_tokens value, the valid range of max_tokens is [1, 512]")
        return "fine"

    endpoint.behaviour = short
    assert put(endpoint, {"max_tokens": 4096}).text == "fine"
    assert endpoint.calls[-1]["max_tokens"] == 512
    assert "takes max_tokens up to 512" in capsys.readouterr().err


def test_thinking_is_turned_off_where_that_is_asked_for(endpoint: Endpoint) -> None:
    def needs(body: dict[str, Any], number: int) -> Any:
        if body.get("enable_thinking") is not False:
            return error(400, "parameter.enable_thinking must be set to false for non-streaming calls")
        return "fine"

    endpoint.behaviour = needs
    assert put(endpoint, {"max_tokens": 50}).text == "fine"
    assert endpoint.calls[-1]["enable_thinking"] is False
    assert put(endpoint, {"max_tokens": 51}, extra={"enable_thinking": False}).text == "fine"
    assert len(endpoint.calls) == 3


def test_a_refusal_that_names_nothing_sent_is_a_failure_and_asked_once(endpoint: Endpoint) -> None:
    endpoint.behaviour = lambda body, number: error(400, "This model's maximum context length is 4096 tokens.")
    assert put(endpoint, {"max_tokens": 50}).error.startswith("http 400: This model's maximum context")
    assert len(endpoint.calls) == 1


def test_extra_is_part_of_what_decides_a_reply(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRA", '{"reasoning_effort": "low"}')
    place = Place.from_environment("m", endpoint.url)
    assert place.extra == {"reasoning_effort": "low"}
    request = Request([{"role": "user", "content": "q"}], {})
    assert request.key(place) != request.key(Place("m", endpoint.url))
    for wrong in ("low", "[1]", "{"):
        monkeypatch.setenv("EXTRA", wrong)
        with pytest.raises(UserError, match="EXTRA is no JSON object"):
            Place.from_environment("m", endpoint.url)


ENDINGS = {
    "a quota by its type": (429, {"error": {"message": "x", "type": "insufficient_quota"}}, "no credit left: x"),
    "a quota by its words": (
        429, {"error": {"message": "You exceeded your current quota, please check your plan and billing details."}},
        "no credit left",
    ),
    "402": (402, {"error": {"message": "Insufficient Balance", "code": "invalid_request_error"}}, "no credit left"),
    "402 in a 200": (
        200, {"choices": None, "error": {"message": "Provider returned error", "code": 402, "metadata": {"raw": "no"}}},
        r"no credit left: Provider returned error \(no\)",
    ),
    "FastAPI without /v1": (404, {"detail": "Not Found"}, r"there is no chat API at .*\(HTTP 404\): Not Found"),
    "LM Studio without /v1": (
        200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
        "there is no chat API .*Unexpected endpoint or method",
    ),
    "Ollama": (404, {"error": "model 'm' not found, try pulling it first"}, "does not know the model 'm': model 'm'"),
}  # fmt: skip


@pytest.mark.parametrize("why", ENDINGS)
def test_what_ends_a_command_is_one_line_with_the_endpoints_words(endpoint: Endpoint, why: str) -> None:
    status, body, said = ENDINGS[why]
    endpoint.behaviour = lambda sent, number: web.json_response(body, status=status)
    with pytest.raises(UserError, match=said) as caught:
        put(endpoint, {"max_tokens": 50})
    assert len(endpoint.calls) == 1
    if why == "Ollama":
        assert "ollama pull m" in caught.value.hint


def test_a_passing_error_in_a_200_is_waited_out(endpoint: Endpoint) -> None:
    busy = {"id": None, "choices": None, "error": {"message": "Provider returned error", "code": 429}}
    endpoint.behaviour = lambda body, number: busy if number < 2 else "fine"
    assert put(endpoint, {"max_tokens": 50}).text == "fine"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: web.Response(text='data: {"choices": []}\n\ndata: [DONE]\n\n'), "malformed: .*it streams"),
        (lambda: {"error": {"message": "the model crashed"}}, "error: the model crashed"),
        (lambda: completion("half an ans", "error"), "error: the reply ended with error"),
        (lambda: completion("half an ans", "network_error"), "error: the reply ended with network_error"),
        (lambda: {"choices": [{"message": "text"}]}, "malformed: the reply is no chat completion"),
    ],
)
def test_what_stays_unreadable_is_asked_twice_and_not_kept(endpoint: Endpoint, answer: Any, said: str) -> None:
    endpoint.behaviour = lambda body, number: answer()
    assert re.search(said, put(endpoint, {"max_tokens": 50}).error)
    assert len(endpoint.calls) == 2
    endpoint.behaviour = lambda body, number: "fine now"
    assert put(endpoint, {"max_tokens": 50}).text == "fine now"


def test_content_in_parts_and_thinking_of_its_own() -> None:
    import orjson

    def read(**message: Any) -> Reply:
        return read_completion(orjson.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}))

    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    assert (read(content=parts).text, read(content=parts).thought) == ("yes", True)
    only = read(content=None, reasoning_content="It is the first.")
    assert (only.text, only.thought) == ("", True)
    assert read(content="yes", thinking_blocks=[{"type": "thinking"}]).thought
    assert not read(content="yes").thought
    with pytest.raises(MalformedError):
        read(content=[1])
    with pytest.raises(RefusedError, match="no such thing"):
        read_completion(b'{"error": {"detail": "no such thing"}}')


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": None, "completion_tokens": "7"}, {}, "none"])
def test_usage_may_be_anything(endpoint: Endpoint, usage: Any) -> None:
    endpoint.behaviour = lambda body, number: {**completion("yes"), "usage": usage}
    reply = put(endpoint, {"max_tokens": 50})
    assert (reply.text, reply.tokens_in) == ("yes", 0)


@pytest.mark.slow
def test_a_judge_that_thinks_gets_room(endpoint: Endpoint) -> None:
    def thinks(body: dict[str, Any], number: int) -> Any:
        if body["max_tokens"] <= 900:
            return completion("", "length", reasoning_content="hm " * 50)
        return completion("The first is better.", reasoning_content="hm")

    endpoint.behaviour = thinks
    assert put(endpoint, {"max_tokens": 64}, room=4096).text == "The first is better."
    assert [call["max_tokens"] for call in endpoint.calls] == [64, 4160]
    kept = put(endpoint, {"max_tokens": 65})  # one that was promised no room keeps its cap
    assert (kept.finish_reason, kept.text) == ("length", "")


@pytest.mark.slow
def test_a_shutdown_that_is_announced_is_told_once(endpoint: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with Client(Cache()) as client:
            place = Place("fake-judge-1", endpoint.url)
            for number in range(3):
                await client.ask(place, Request([{"role": "user", "content": f"q{number}"}], {}))
                await asyncio.sleep(0.2)

    endpoint.shutdown_date = "2027-01-14"
    asyncio.run(main())
    assert capsys.readouterr().err.count("fake-judge-1 will be shut down on 2027-01-14") == 1


@pytest.mark.parametrize(
    ("name", "model", "url"),
    [
        ("gpt-6-luna", "gpt-6-luna", ""),
        ("m@http://127.0.0.1:8000/v1", "m", "http://127.0.0.1:8000/v1"),
        ("claude-sonnet-4@20250514@https://x.example/v1", "claude-sonnet-4@20250514", "https://x.example/v1"),
        ("@cf/meta/llama-3.1-8b-instruct", "@cf/meta/llama-3.1-8b-instruct", ""),
        ("qwen3:8b", "qwen3:8b", ""),
    ],
)
def test_a_models_name_may_hold_an_at(name: str, model: str, url: str) -> None:
    assert split_model(name) == (model, url)


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://h:abc/v1", "http://h:99999/v1", "h:8000", "ftp://h/v1"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(UserError, match="not a URL"):
        Place.from_environment("m", url)


@pytest.mark.parametrize("name", ["", "@http://127.0.0.1:8000/v1", "m@127.0.0.1:8000", "m@localhost/v1"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(UserError, match=r"names no model|is not a URL"):
        split_model(name)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://res.openai.azure.com/openai/deployments/gpt-4o?api-version=2024-10-21", "openai.azure.com/openai/v1"),
        ("https://res.openai.azure.com/openai/deployments/gpt-4o", "openai.azure.com/openai/v1"),
    ],
)
def test_azure_is_told_its_own_address(url: str, said: str) -> None:
    with pytest.raises(UserError, match="Azure") as caught:
        Place.from_environment("gpt-4o", url)
    assert said in caught.value.hint
    assert Place.from_environment("gpt-4o", "https://res.openai.azure.com/openai/v1").url.endswith("/openai/v1")


def test_the_old_name_of_the_base_url_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    with pytest.raises(UserError, match="its name is OPENAI_BASE_URL today"):
        Place.from_environment("gpt-4o")
    assert Place.from_environment("m", "http://127.0.0.1:8/v1").url == "http://127.0.0.1:8/v1"


def test_an_address_where_nothing_is_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting has a time limit of its own: 192.0.2.1 is an address that nobody has."""
    import time

    monkeypatch.setattr("common.llm.client.CONNECT_SECONDS", 0.3)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    place, began = Place("m", "http://192.0.2.1:8000/v1"), time.monotonic()

    async def main() -> None:
        async with Client(Cache()) as client:
            await client.ask(place, Request([{"role": "user", "content": "q"}], {}))

    with pytest.raises(UserError, match="nothing answers at"):
        asyncio.run(main())
    assert time.monotonic() - began < 15


def test_calls_in_flight_learn_from_one_another(endpoint: Endpoint) -> None:
    def picky(body: dict[str, Any], number: int) -> Any:
        return error(400, "max_tokens is not supported", param="max_tokens") if "max_tokens" in body else "fine"

    endpoint.behaviour = picky
    assert {reply.text for reply in ask(endpoint, 20, concurrency=8)} == {"fine"}


REFUSALS = [json.loads(line) for line in Path(__file__).with_name("refusals.jsonl").read_text("utf-8").splitlines()]
SETTINGS = ("max_tokens", "temperature", "seed", "response_format", "reasoning_effort")


def what_follows(status: int, body: Any) -> str:
    """Say what is done about an HTTP status and its body."""
    said = (body if isinstance(body, str) else json.dumps(body)).encode()
    try:
        if status == 200:
            with pytest.raises(RefusedError) as caught:
                read_completion(said)
            error: Exception = caught.value
        else:
            asked = httpx2.Request("POST", "https://x.example/v1/chat/completions")
            reply = httpx2.Response(status, content=said, headers={"Content-Type": "application/json"}, request=asked)
            error = openai.OpenAI(api_key="k")._make_status_error_from_response(reply)  # type: ignore[arg-type]
        failure = classify(error, Place("m", "https://x.example/v1"), SETTINGS)
    except UserError as ended:
        return ended.message
    if failure.action == "adapt":
        return f"asks for {failure.most} tokens" if failure.most else f"leaves out {failure.parameter}"
    if failure.action == "retry":
        return "waits" if failure.wait is None else f"waits {failure.wait:g} s"
    return failure.action


@pytest.mark.parametrize("refusal", REFUSALS, ids=[row["who"] for row in REFUSALS])
def test_refusals_of_many_providers(refusal: dict[str, Any]) -> None:
    followed = what_follows(refusal["status"], refusal["body"])
    kind, _, ending = refusal["right"].partition(": ")
    assert (ending in followed) if kind == "ends" else followed == refusal["right"]


def test_a_prompt_that_leaves_less_room_is_asked_for_less_and_others_are_not(endpoint: Endpoint) -> None:
    def served(body: dict[str, Any], number: int) -> Any:
        given = 100 * len(body["messages"][0]["content"])
        if given + body["max_tokens"] > 1000:
            words = f"maximum context length is 1000 tokens and your request has {given} input tokens"
            return error(400, f"'max_tokens' or 'max_completion_tokens' is too large. This model's {words}", param=None)
        return f"{body['max_tokens']}"

    endpoint.behaviour = served

    async def main() -> list[str]:
        async with Client(Cache()) as client:
            place = Place("m", endpoint.url)
            asked = [Request([{"role": "user", "content": "x" * n}], {"max_tokens": 800}) for n in (5, 1, 7, 10)]
            return [(reply := await client.ask(place, request)).text or reply.error[:8] for request in asked]

    assert asyncio.run(main()) == ["500", "800", "300", "http 400"]
