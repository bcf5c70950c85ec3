"""Serve a model with `llamafactory-cli api` for as long as a block runs, and leave nothing behind."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from common.errors import UserError
from common.llm.endpoint import Endpoint
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
    settings = settings_of(config)
    name, key = f"whetstone-{secrets.token_hex(4)}", secrets.token_hex(16)
    for start in range(1, STARTS + 1):
        port = free_port()
        process = _start(config, log, port=port, name=name, key=key, concurrency=concurrency)
        try:
            if _wait(process, config, port=port, name=name, key=key, timeout=start_timeout):
                model = str(settings.get("model_name_or_path", name))
                yield Endpoint(
                    name,
                    f"http://127.0.0.1:{port}/v1",
                    key,
                    identity=" ".join([identity(config), model, *backend()]),
                    timeout=1800,
                )
                return
        finally:
            stop(process)
        if start == STARTS or "address already in use" not in tail(log, 40).lower():
            break
    raise UserError(
        f"the server for {config} ended while starting; the end of {log}:\n{tail(log)}",
        f"llamafactory-cli api {config} shows it all",
    )


def _start(config: Path, log: Path, *, port: int, name: str, key: str, concurrency: int) -> subprocess.Popen[bytes]:
    words = [tool("llamafactory-cli"), "api", str(config), *backend()]
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN} | {
        "API_HOST": "127.0.0.1",
        "API_PORT": str(port),
        "API_MODEL_NAME": name,
        "API_KEY": key,
        "API_VERBOSE": "0",
        "MAX_CONCURRENT": str(concurrency),
    }
    return supervised(words, log, environment)


def backend() -> list[str]:
    """Return the words for LLaMA-Factory's server where VLLM=1 asks for another backend than the files name."""
    if os.environ.get("VLLM", "") in ("", "0"):
        return []
    if not find_spec("vllm"):
        hint = "serve RUN/export with vLLM from an environment of its own, and name it: WHO=model@URL (docs/judging.md)"
        raise UserError("VLLM=1 takes vllm, which is not installed beside LLaMA-Factory", hint)
    return ["infer_backend=vllm"]


def _wait(process: subprocess.Popen[bytes], config: Path, *, port: int, name: str, key: str, timeout: float) -> bool:
    """Wait until the server answers; return False when it has ended before."""
    request = Request(f"http://127.0.0.1:{port}/v1/models", headers={"Authorization": f"Bearer {key}"})
    deadline = time.monotonic() + timeout
    with Progress(f"starting the server for {config}", 0) as progress:
        while process.poll() is None:
            try:
                with DIRECT.open(request, timeout=5) as response:
                    if name in response.read().decode(errors="replace"):
                        return True
            except (URLError, OSError):
                pass
            if time.monotonic() > deadline:
                raise UserError(
                    f"the server for {config} did not answer within {timeout:.0f} s",
                    "--start-timeout gives it more",
                )
            progress.show()
            time.sleep(0.25)
    return False
