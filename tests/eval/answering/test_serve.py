"""Serving: started, waited for, ended, and no process left, whatever ends us. The server here is a quick stand-in
with the name of the real one; tests marked slow use the real one."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.errors import UserError
from eval.answering import serve
from tests.checkout import ROOT

FAKE = """#!{python}
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
open("{pids}", "a").write(f"{{os.getpid()}}\\n")
{before}
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"data": [{{"id": os.environ["API_MODEL_NAME"]}}]}}).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
assert os.environ["API_HOST"] == "127.0.0.1"
assert "OPENAI_API_KEY" not in os.environ
HTTPServer(("127.0.0.1", int(os.environ["API_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def fake(workplace: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a `llamafactory-cli` beside a Python; return a function that writes it and the file of its pids."""
    folder = workplace / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    pids = workplace / "pids"
    pids.touch()
    config = workplace / "base.yaml"
    config.write_text("model_name_or_path: some/model\n")

    def write(before: str = "") -> tuple[Path, Path]:
        command = folder / "llamafactory-cli"
        command.write_text(FAKE.format(python=Path(sys.executable).resolve(), pids=pids, before=before))
        command.chmod(command.stat().st_mode | stat.S_IEXEC)
        return config, pids

    return write


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie is no running server (its parent may be a test that has not looked yet).
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def wait_until(condition, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_serves_while_the_block_runs_and_no_longer(fake, workplace: Path) -> None:
    config, pids = fake()
    with serve.served(config, workplace / "log", concurrency=2) as endpoint:
        pid = int(pids.read_text())
        assert alive(pid)
        assert endpoint.url.startswith("http://127.0.0.1:")
    assert not alive(pid)


@pytest.mark.slow
def test_two_at_once_get_their_own_ports(fake, workplace: Path) -> None:
    config, _ = fake()
    with (
        serve.served(config, workplace / "log1", concurrency=2) as first,
        serve.served(config, workplace / "log2", concurrency=2) as second,
    ):
        assert first.url != second.url


def test_death_at_start_shows_the_end_of_the_log(fake, workplace: Path) -> None:
    config, _ = fake("sys.exit('no such model: some/model')")
    with (
        pytest.raises(UserError, match="no such model: some/model"),
        serve.served(config, workplace / "log", concurrency=2),
    ):
        pass


@pytest.mark.slow
def test_a_taken_port_is_tried_anew_on_another(fake, workplace: Path) -> None:
    once = workplace / "once"
    config, pids = fake(
        f"import pathlib\nif not pathlib.Path('{once}').exists():\n"
        f"    pathlib.Path('{once}').touch(); sys.exit('[Errno 98] address already in use')"
    )
    with serve.served(config, workplace / "log", concurrency=2):
        assert len(pids.read_text().split()) == 2


@pytest.mark.slow
def test_one_that_never_answers_is_ended(fake, workplace: Path) -> None:
    config, pids = fake("time.sleep(600)")
    with (
        pytest.raises(UserError, match="did not answer within 5 s"),
        serve.served(config, workplace / "log", concurrency=2, start_timeout=5),
    ):
        pass
    assert not alive(int(pids.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_orphan_when_we_are_killed(fake, workplace: Path, sign: signal.Signals) -> None:
    config, pids = fake()
    root = ROOT
    script = (
        f"import sys, time; sys.path.insert(0, {str(root)!r}); sys.executable = {sys.executable!r}\n"
        f"from pathlib import Path\nfrom eval.answering.serve import served\n"
        f"with served(Path({str(config)!r}), Path('log'), concurrency=2): print('up', flush=True); time.sleep(600)"
    )
    ours = subprocess.Popen([sys.prefix + "/bin/python", "-c", script], stdout=subprocess.PIPE, text=True)
    assert ours.stdout
    assert ours.stdout.readline() == "up\n"
    pid = int(pids.read_text())
    ours.send_signal(sign)
    ours.wait(20)
    assert wait_until(lambda: not alive(pid))
