"""A real OpenAI-compatible server on loopback that does what a test tells it to, well or badly.

`behaviour(body, number)` gets the request's JSON and how many calls came before; it returns a text to answer with, an
aiohttp response, or raises DropError to cut the connection.
"""

import asyncio
import json
import re
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import web


class DropError(Exception):
    """Cut the connection without an answer."""


def completion(text: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "fake-judge-1",
        "system_fingerprint": "fp_test",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def error(status: int, message: str, headers: dict[str, str] | None = None, **fields: Any) -> web.Response:
    body = {"error": {"message": message, "type": "test", **fields}}
    return web.json_response(body, status=status, headers=headers)


class Endpoint:
    def __init__(self) -> None:
        self.behaviour: Callable[[dict[str, Any], int], Any] = lambda body, number: "hello"
        self.latency = self.first_latency = 0.0
        self.calls: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.in_flight = self.most_in_flight = 0
        self.models = ["fake-judge-1"]
        self.shutdown_date: str | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def _run(self) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "0.0.0.0", 0)  # all of 127.0.0.0/8
        self._loop.run_until_complete(site.start())
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _models(self, request: web.Request) -> web.Response:
        listed = [{"id": name, "shutdown_date": self.shutdown_date} for name in self.models]
        return web.json_response({"data": listed})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        number = len(self.calls)
        self.calls.append(body)
        self.headers.append(dict(request.headers))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency if number else max(self.latency, self.first_latency))
            answer = self.behaviour(body, number)
        except DropError:
            assert request.transport
            request.transport.close()
            return web.Response()
        finally:
            self.in_flight -= 1
        if isinstance(answer, str) and body.get("stream"):
            pieces = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in re.findall(r"\S+\s*", answer)]
            lines = [*map(json.dumps, pieces), "[DONE]"]
            return web.Response(text="".join(f"data: {line}\n\n" for line in lines), content_type="text/event-stream")
        if isinstance(answer, str):
            answer = completion(answer)
        if isinstance(answer, dict):
            return web.json_response(text=json.dumps(answer))
        return answer

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
