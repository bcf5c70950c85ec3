"""A page for one person on this machine, with JSON behind it; nobody else, and no other site, can ask or write.

    site = server(HTML, {"/state": state}, {"/vote": vote}, port=0)
    serve(site, open_browser=True)  # until Ctrl-C

`state()` and `vote(body)` return what is sent as JSON; `vote` raises ValueError, KeyError or TypeError for a body that
it cannot use, which is then refused as a bad request. `/* style */` in the page becomes the style that all share.
"""

import contextlib
import webbrowser
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from common.errors import UserError
from common.paths import STYLE

LONGEST_BODY = 1_000_000


def server(
    page: Path,
    gets: Mapping[str, Callable[[], Any]],
    posts: Mapping[str, Callable[[Any], Any]],
    port: int = 0,
    longest_body: int = LONGEST_BODY,
) -> ThreadingHTTPServer:
    """Return a server of the page on loopback, bound to a port (0: a free one) and not yet running."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self._is_for_us():
                self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            elif self.path == "/":
                self._send(html(page).encode(), "text/html; charset=utf-8")
            elif self.path in gets:
                self._send(orjson.dumps(gets[self.path]()))
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            # Another site's form or script cannot send this content type without being asked for leave.
            is_json = self.headers.get("Content-Type", "").partition(";")[0].strip() == "application/json"
            refusals = {
                HTTPStatus.MISDIRECTED_REQUEST: not self._is_for_us(),
                HTTPStatus.NOT_FOUND: self.path not in posts,
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE: not is_json,
                HTTPStatus.BAD_REQUEST: not (length.isascii() and length.isdecimal()) or int(length) > longest_body,
            }
            if refused := next((status for status, holds in refusals.items() if holds), None):
                self.send_error(refused)
                return
            try:
                answer = posts[self.path](orjson.loads(self.rfile.read(int(length))))
            except (ValueError, KeyError, TypeError):
                self.send_error(HTTPStatus.BAD_REQUEST)
            except (UserError, OSError) as error:  # the page shows why; the person can try again
                self._send(orjson.dumps({"error": str(error)}), status=HTTPStatus.CONFLICT)
            else:
                self._send(orjson.dumps(answer))

        def _is_for_us(self) -> bool:
            """Tell whether we were asked by our own name: a site whose name is made to point here uses another."""
            return self.headers.get("Host", "") in (f"127.0.0.1:{site.server_port}", f"localhost:{site.server_port}")

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the terminal quiet."""

        def _send(self, body: bytes, kind: str = "application/json", status: HTTPStatus = HTTPStatus.OK) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

    try:
        site = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise UserError(f"port {port} cannot be used: {error.strerror}", "leave --port out") from None
    return site


def address(site: ThreadingHTTPServer) -> str:
    """Return the page's URL."""
    return f"http://127.0.0.1:{site.server_port}/"


def serve(site: ThreadingHTTPServer, *, open_browser: bool = True) -> None:
    """Serve until Ctrl-C, and open the page in the browser."""
    if open_browser:
        webbrowser.open(address(site))
    with contextlib.suppress(KeyboardInterrupt), site:
        site.serve_forever()


@cache
def html(page: Path) -> str:
    """Return a page with the shared style in its place."""
    return page.read_text("utf-8").replace("/* style */", STYLE.read_text("utf-8"))
