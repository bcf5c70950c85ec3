"""Programs that we start log their words, report on the way, and never outlive us."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from common.errors import UserError
from common.process import last_line, only_one, run_logged, tail, tool


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_words_go_to_the_log_and_the_exit_status_comes_back(tmp_path):
    seen = []
    program = "import time; print('one', flush=True); time.sleep(1); print('two'); raise SystemExit(3)"
    log = tmp_path / "logs" / "x.log"
    assert run_logged([sys.executable, "-c", program], log, seen.append, {}) == 3
    assert "one" in seen
    assert tail(log).split()[-2:] == ["one", "two"]


def test_a_progress_bars_last_state_is_the_last_line(tmp_path):
    (tmp_path / "log").write_bytes(b"loading\n 10%\r 50%\r 90%\r")
    assert last_line(tmp_path / "log") == "90%"
    (tmp_path / "log").write_bytes(b"")
    assert last_line(tmp_path / "log") == ""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_program_ends_when_we_are_ended(tmp_path, how):
    pid_file = tmp_path / "pid"
    program = f"import os,time,pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    ours = (
        "import sys; from common.process import run_logged; from pathlib import Path\n"
        f"run_logged([sys.executable, '-c', {program!r}], Path({str(tmp_path / 'log')!r}), lambda line: None, {{}})"
    )
    process = subprocess.Popen([sys.executable, "-c", ours], stderr=subprocess.DEVNULL)
    assert wait_for(lambda: pid_file.exists() and pid_file.read_text())
    child = int(pid_file.read_text())
    process.send_signal(how)
    process.wait(20)
    assert wait_for(lambda: not alive(child))


def hold(folder, ready, release):
    with only_one(folder):
        ready.set()
        release.wait(20)


def test_a_folder_is_held_by_one_process_and_free_after_it(tmp_path):
    ready, release = multiprocessing.Event(), multiprocessing.Event()
    other = multiprocessing.Process(target=hold, args=(tmp_path, ready, release))
    other.start()
    assert ready.wait(20)
    with pytest.raises(UserError, match=f"another process \\({other.pid}\\)"), only_one(tmp_path):
        pass
    release.set()
    other.join()
    with only_one(tmp_path):
        pass


def test_who_waits_for_a_folder_gets_it(tmp_path, capsys):
    ready, release = multiprocessing.Event(), multiprocessing.Event()
    other = multiprocessing.Process(target=hold, args=(tmp_path, ready, release))
    other.start()
    assert ready.wait(20)
    threading.Timer(0.2, release.set).start()
    with only_one(tmp_path, wait=True):
        assert release.is_set()
    assert f"waiting for another process ({other.pid}), which works on {tmp_path}" in capsys.readouterr().out
    other.join()


def test_a_tool_that_is_not_installed_is_named():
    with pytest.raises(UserError, match="no such-tool beside"):
        tool("such-tool")
