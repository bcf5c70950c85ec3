"""A folder that several machines share is held by one process at a time, and a dead holder is recognised."""

import json
import multiprocessing
import os
import signal
import threading
import time

import orjson
import pytest

from common.lease import is_leased, leased


def write(folder, **lease):
    folder.mkdir(exist_ok=True)
    (folder / "lease.json").write_bytes(orjson.dumps({"host": "elsewhere", "pid": 1, "token": "t", "beat": 0} | lease))


def hold(folder, ready):
    with leased(folder):
        ready.set()
        time.sleep(60)


def test_it_is_held_and_given_back(tmp_path):
    with leased(tmp_path):
        assert is_leased(tmp_path)
        assert json.loads((tmp_path / "lease.json").read_text())["pid"] == os.getpid()
    assert not is_leased(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_killed_holder_of_this_machine_is_followed_at_once(tmp_path):
    ready = multiprocessing.Event()
    other = multiprocessing.Process(target=hold, args=(tmp_path, ready))
    other.start()
    assert ready.wait(20)
    assert is_leased(tmp_path)
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    assert not is_leased(tmp_path)
    began = time.monotonic()
    with leased(tmp_path):
        assert time.monotonic() - began < 5


def test_a_lease_of_another_machine_is_taken_only_when_it_stands_still(tmp_path, capsys):
    write(tmp_path)
    ended = threading.Event()

    def beat():
        for number in range(1, 9):
            write(tmp_path, beat=number)
            time.sleep(0.1)
        ended.set()

    other = threading.Thread(target=beat)
    other.start()
    with leased(tmp_path, expiry=0.5):
        assert ended.is_set()
        assert is_leased(tmp_path)
    other.join()
    assert "waiting for elsewhere (process 1)" in capsys.readouterr().out


def test_of_many_that_wait_for_a_dead_one_each_has_it_alone(tmp_path):
    write(tmp_path)
    inside, most = [0], [0]

    def work():
        with leased(tmp_path, expiry=0.3):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.05)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most[0] == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"host": "elsewhere"}'])
def test_a_lease_that_cannot_be_read_is_taken_in_the_end(tmp_path, content):
    (tmp_path / "lease.json").write_bytes(content)
    with leased(tmp_path, expiry=0.2):
        assert is_leased(tmp_path)


def test_who_lost_a_lease_does_not_take_it_back(tmp_path):
    with leased(tmp_path, beat=0.05):
        write(tmp_path, token="other")
        time.sleep(0.2)
        assert json.loads((tmp_path / "lease.json").read_text())["token"] == "other"
    assert (tmp_path / "lease.json").is_file()
