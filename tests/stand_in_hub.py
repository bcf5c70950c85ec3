"""A stand-in for the model and data hub on loopback: folders served as repositories to the hub's own client libraries.

`<root>/models/<org>/<name>/` and `<root>/datasets/<org>/<name>/` are repositories, whatever lies in them are their
files. Enough of the hub's HTTP interface for huggingface_hub, datasets and transformers (set HF_ENDPOINT). It runs
in a thread; `Hub.gated`, `Hub.private` and `Hub.break_after` make it refuse or fail as the real one does.
"""

import asyncio
import base64
import hashlib
import json
import threading
from pathlib import Path
from typing import Any, Self

from aiohttp import web

COMMIT = "a" * 40


class Hub:
    """The server; a context manager that starts and ends it."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self.scratch = root, scratch
        self.gated: set[str] = set()
        """Repositories (org/name) that answer 403 until a licence is accepted."""
        self.private: set[str] = set()
        """Repositories that answer 401 to who is not logged in."""
        self.break_after: dict[str, int] = {}
        """File name -> bytes after which its next download is broken off, once."""
        self.requests: list[str] = []
        """Method, path and asked-for range of every request."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """What a process needs to take this for the hub, with caches of its own."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(self.scratch / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    async def _start(self) -> int:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/api/repos/create", self._create)
        app.router.add_post("/api/validate-yaml", self._validate)
        steps = "/api/{kind:models|datasets}/{repo:[^/]+/[^/]+}/{step:preupload|commit}/{revision}"
        app.router.add_post(steps, self._upload)
        app.router.add_route("*", "/api/{kind:models|datasets}/{repo:[^/]+/[^/]+}{tail:(/.*)?}", self._api)
        app.router.add_route("*", "/{kind:datasets}/{repo:[^/]+/[^/]+}/resolve/{revision}/{file:.*}", self._file)
        app.router.add_route("*", "/{repo:[^/]+/[^/]+}/resolve/{revision}/{file:.*}", self._file)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return site._server.sockets[0].getsockname()[1]

    def _files(self, request: web.Request) -> dict[str, Path]:
        """Return a repository's files by their names in it, or raise what the hub answers instead."""
        self.requests.append(f"{request.method} {request.path_qs} {request.headers.get('Range', '')}".strip())
        repo = request.match_info["repo"]
        base = self.root / request.match_info.get("kind", "models") / repo
        if repo in self.private:
            raise web.HTTPUnauthorized(headers=_error("RepoNotFound", "Invalid username or password."))
        if not base.is_dir():
            raise web.HTTPNotFound(headers=_error("RepoNotFound", "Repository not found"))
        return {str(path.relative_to(base)): path for path in sorted(base.rglob("*")) if path.is_file()}

    async def _api(self, request: web.Request) -> web.Response:
        files = self._files(request)
        repo = request.match_info["repo"]
        action, _, rest = request.match_info["tail"].strip("/").partition("/")
        if action in ("", "revision"):
            siblings = [{"rfilename": name} for name in files]
            facts = {"id": repo, "sha": COMMIT, "private": False, "tags": [], "downloads": 0, "likes": 0}
            gated = "manual" if repo in self.gated else False
            return web.json_response(facts | {"gated": gated, "disabled": False, "siblings": siblings})
        if action == "tree":
            return web.json_response(_tree(files, rest.partition("/")[2], request.query.get("recursive", "") != ""))
        if action == "paths-info":
            wanted = (await request.post()).getall("paths") if "form" in request.content_type else None
            wanted = wanted or (await request.json())["paths"]
            return web.json_response([item for item in _tree(files, "", True) if item["path"] in wanted])
        raise web.HTTPNotFound(headers=_error("EntryNotFound", f"no {action} here"))

    async def _create(self, request: web.Request) -> web.Response:
        """Make a repository, for who is logged in."""
        if "Authorization" not in request.headers:
            raise web.HTTPUnauthorized(headers=_error("Unauthorized", "Invalid username or password."))
        wanted = await request.json()
        repo = f"{wanted['organization']}/{wanted['name']}"
        kind = wanted.get("type", "model")
        (self.root / f"{kind}s" / repo).mkdir(parents=True, exist_ok=True)
        where = "datasets/" if kind == "dataset" else ""
        return web.json_response({"url": f"{self.url}/{where}{repo}", "name": repo})

    async def _validate(self, request: web.Request) -> web.Response:
        """Find nothing wrong with a model card."""
        return web.json_response({"errors": [], "warnings": []})

    async def _upload(self, request: web.Request) -> web.Response:
        """Take files: first every name, whose way is "regular" whatever its size, then all in one body, base64."""
        kind, repo = request.match_info["kind"], request.match_info["repo"]
        if request.match_info["step"] == "preupload":
            names = [file["path"] for file in (await request.json())["files"]]
            return web.json_response(
                {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
            )
        for line in (await request.read()).splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                path = self.root / kind / repo / entry["value"]["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(base64.b64decode(entry["value"]["content"]))
        return web.json_response({"commitUrl": f"{self.url}/{repo}/commit/{COMMIT}", "commitOid": COMMIT})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        files = self._files(request)
        if request.match_info["repo"] in self.gated:
            message = f"Access to model {request.match_info['repo']} is restricted: accept its licence"
            raise web.HTTPForbidden(headers=_error("GatedRepo", message))
        path = files.get(request.match_info["file"])
        if path is None:
            raise web.HTTPNotFound(headers={**_error("EntryNotFound", "Entry not found"), "X-Repo-Commit": COMMIT})
        headers = {"X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if request.method == "HEAD" or path.name not in self.break_after:
            return web.FileResponse(path, headers=headers)
        response = web.StreamResponse(headers={**headers, "Content-Length": str(path.stat().st_size)})
        await response.prepare(request)
        await response.write(path.read_bytes()[: self.break_after.pop(path.name)])
        assert request.transport is not None
        await asyncio.sleep(0.1)  # what was written goes out before the connection is cut
        request.transport.abort()
        return response


def _error(code: str, message: str) -> dict[str, str]:
    return {"X-Error-Code": code, "X-Error-Message": message}


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


def _tree(files: dict[str, Path], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """Return the entries of a folder as the hub lists them."""
    start = f"{folder}/" if folder else ""
    inside = {name: path for name, path in files.items() if name.startswith(start)}
    if folder and not inside:
        raise web.HTTPNotFound(headers=_error("EntryNotFound", f"no {folder} here"))
    found = {
        name: {"type": "file", "oid": _digest(path), "size": path.stat().st_size, "path": name}
        for name, path in inside.items()
    }
    for name in inside:
        for parent in list(Path(name).parents)[:-1]:
            if str(parent).startswith(start):
                found[str(parent)] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": str(parent)}
    return [item for name, item in found.items() if recursive or "/" not in name.removeprefix(start)]
