"""Serve a model with `llamafactory-cli api` for as long as a block runs, and leave nothing behind."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from common.errors import UserError
from common.llm.endpoint import LOCAL_TIMEOUT, Endpoint
from common.process import free_port, stop, supervised, tail, tool
from common.progress import Progress
from eval.answering.served_model import identity, settings_of

STARTS = 3  # another process may take the free port before the server does
HIDDEN = ("OPENAI_API_KEY", "API_KEY")
DIRECT = build_opener(ProxyHandler({}))  # loopback never goes through a proxy


@contextmanager
def served(config: Path, log: Path, *, concurrency: int, start_timeout: float = 900.0) -> Iterator[Endpoint]:
    """Start a server for the model of `config` (a LLaMA-Factory inference YAML) and yield its endpoint.

    It ends with the block, and also when this process is interrupted or killed. Raises UserError with the
    log's last lines when it dies or does not answer in `start_timeout` seconds.
    """
    name, key = f"whetstone-{secrets.token_hex(4)}", secrets.token_hex(16)
    known_as = " ".join([identity(config), str(settings_of(config).get("model_name_or_path", name)), *backend()])
    for start in range(1, STARTS + 1):
        url = f"http://127.0.0.1:{free_port()}/v1"
        place = Endpoint(name, url, key, identity=known_as, timeout=LOCAL_TIMEOUT)
        process = _start(config, log, place, concurrency)
        try:
            if _wait(process, config, place, start_timeout):
                yield place
                return
        finally:
            stop(process)
        if start == STARTS or "address already in use" not in tail(log, 40).lower():
            break
    raise UserError(
        f"the server for {config} ended while starting; the end of {log}:\n{tail(log)}",
        f"llamafactory-cli api {config} shows it all",
    )


def _start(config: Path, log: Path, place: Endpoint, concurrency: int) -> subprocess.Popen[bytes]:
    words = [tool("llamafactory-cli"), "api", str(config), *backend()]
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN} | {
        "API_HOST": "127.0.0.1", "API_PORT": str(urlsplit(place.url).port), "API_MODEL_NAME": place.model,
        "API_KEY": place.key, "API_VERBOSE": "0", "MAX_CONCURRENT": str(concurrency),
    }  # fmt: skip
    return supervised(words, log, environment)


def backend() -> list[str]:
    """Return the words for LLaMA-Factory's server where VLLM=1 asks for another backend than the files name."""
    if os.environ.get("VLLM", "") in ("", "0"):
        return []
    if not find_spec("vllm"):
        hint = "serve RUN/export with vLLM from an environment of its own, and name it: WHO=model@URL (docs/judging.md)"
        raise UserError("VLLM=1 takes vllm, which is not installed beside LLaMA-Factory", hint)
    return ["infer_backend=vllm"]


def _wait(process: subprocess.Popen[bytes], config: Path, place: Endpoint, timeout: float) -> bool:
    """Wait until the server answers; return False when it has ended before."""
    request = Request(f"{place.url}/models", headers={"Authorization": f"Bearer {place.key}"})
    deadline = time.monotonic() + timeout
    with Progress(f"starting the server for {config}", 0) as progress:
        while process.poll() is None:
            with suppress(OSError), DIRECT.open(request, timeout=5) as response:
                if place.model in response.read().decode(errors="replace"):
                    return True
            if time.monotonic() > deadline:
                raise UserError(
                    f"the server for {config} did not answer within {timeout:.0f} s", "--start-timeout gives it more"
                )
            progress.show()
            time.sleep(0.25)
    return False
