"""A local page: JSON both ways, what is wrong is refused, and the style stands in the page."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from common.local_page import address, server

Ask = Callable[..., tuple[int, Any]]


def double(body: Any) -> dict[str, int]:
    if body["n"] == 13:
        raise UserError("no space left")
    return {"n": 2 * int(body["n"])}


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    (tmp_path / "page.html").write_text("<style>/* style */</style>好")
    site = server(tmp_path / "page.html", {"/state": lambda: ["ok"]}, {"/double": double}, longest_body=50)
    threading.Thread(target=site.serve_forever, daemon=True).start()

    def send(path: str, body: str | None = None, kind: str = "application/json", host: str = "", **more: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", site.server_port, timeout=10)
        headers = {"Content-Type": kind, "Host": host or f"localhost:{site.server_port}", **more}
        connection.request("GET" if body is None else "POST", path, body and body.encode(), headers)
        reply = connection.getresponse()
        said = reply.read()
        return reply.status, json.loads(said) if "json" in reply.headers["Content-Type"] else said.decode()

    with pytest.raises(UserError, match=f"port {site.server_port} cannot be used"):
        server(tmp_path / "page.html", {}, {}, site.server_port)
    assert address(site) == f"http://127.0.0.1:{site.server_port}/"
    yield send
    site.shutdown()
    site.server_close()


@pytest.mark.slow
def test_what_is_asked_is_answered(ask: Ask) -> None:
    status, page = ask("/")
    assert status == 200
    assert "好" in page
    assert "/* style */" not in page
    assert ":root" in page
    assert ask("/state") == (200, ["ok"])
    assert ask("/double", '{"n": 4}') == ask("/double", '{"n": "4"}', "application/json; charset=utf-8")
    assert ask("/double", '{"n": 13}') == (409, {"error": "no space left"})


@pytest.mark.slow
def test_what_is_wrong_or_from_elsewhere_is_refused(ask: Ask) -> None:
    assert ask("/states")[0] == ask("/state", "{}")[0] == ask("/double")[0] == 404
    assert ask("/double", '{"n": 4}', "text/plain")[0] == 415
    for bad in ("", "{", "[]", "{}", '{"n": null}', '{"n": "x"}', '{"n": 4' + " " * 50 + "}"):
        assert ask("/double", bad)[0] == 400
    assert ask("/double", '{"n": 4}', **{"Content-Length": "-1"})[0] == 400
    assert ask("/state", host="evil.example")[0] == ask("/double", '{"n": 4}', host="evil.example")[0] == 421
