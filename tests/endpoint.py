"""A real OpenAI-compatible server on loopback that does what a test tells it to, well or badly.

`behaviour(body, number)` gets the request's JSON and how many calls came before; it returns a text to answer with, an
aiohttp response, or raises DropError to cut the connection.
"""

import asyncio
import json
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
        self.uploads: list[bytes] = []
        self.polls, self.polls_needed = 0, 3
        self.polls_at_upload: list[int] = []
        self.failing_in_batch: set[int] = set()
        self.has_batches = True
        self.models = ["fake-judge-1"]
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
        app.router.add_post("/v1/files", self._upload)
        app.router.add_post("/v1/batches", self._batch)
        app.router.add_get("/v1/batches/{id}", self._batch_state)
        app.router.add_get("/v1/files/{id}/content", self._download)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name} for name in self.models]})

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
        if isinstance(answer, str):
            answer = completion(answer)
        if isinstance(answer, dict):
            return web.json_response(text=json.dumps(answer))
        return answer

    async def _upload(self, request: web.Request) -> web.Response:
        if not self.has_batches:
            raise web.HTTPNotFound
        self.polls_at_upload.append(self.polls)
        form = await request.post()
        self.uploads.append(form["file"].file.read())  # type: ignore[union-attr]
        return web.json_response({"id": f"file-{len(self.uploads)}", "object": "file", "purpose": "batch"})

    async def _batch(self, request: web.Request) -> web.Response:
        await request.json()
        return web.json_response(self._batch_object("validating"))

    async def _batch_state(self, request: web.Request) -> web.Response:
        self.polls += 1
        return web.json_response(self._batch_object("completed" if self.polls >= self.polls_needed else "in_progress"))

    def _batch_object(self, status: str) -> dict[str, Any]:
        lines = len(self.uploads[-1].splitlines())
        made = [number for number in range(lines) if number not in self.failing_in_batch]
        done = {"output_file_id": "file-out"} if made else {"error_file_id": "file-errors"}
        done = done if status == "completed" else {}
        return {"id": "batch_1", "object": "batch", "status": status, "endpoint": "/v1/chat/completions", **done}

    async def _download(self, request: web.Request) -> web.Response:
        rows = []
        for number, line in enumerate(self.uploads[-1].splitlines()):
            call = json.loads(line)
            failed = number in self.failing_in_batch
            answer = (
                {"error": {"message": "out of order"}} if failed else completion(self.behaviour(call["body"], number))
            )
            status = 500 if failed else 200
            rows.append({"custom_id": call["custom_id"], "response": {"status_code": status, "body": answer}})
        return web.Response(body="\n".join(map(json.dumps, rows)).encode())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
