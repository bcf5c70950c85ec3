"""The hub's client: what it fetches, and what its errors mean, on a stand-in hub that refuses as the real one does."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from huggingface_hub import errors

from common.errors import UserError
from common.hub import Repository, snapshot
from tests.checkout import ROOT
from tests.stand_in_hub import COMMIT, Hub


def run(hub: Hub, what: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Evaluate `what` in a process of its own: the hub's client reads its settings once, at import."""
    program = (
        "from pathlib import Path; from common.errors import run_cli; from common.hub import *\n"
        "R = Repository('org/name', 'dataset', way_out='another way')\n"
        f"run_cli(lambda: print({what}))"
    )
    environment = {**os.environ, **hub.environment(), "PYTHONPATH": str(ROOT), "WHETSTONE_RETRY_SECONDS": "0", **more}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture
def filled(hub: Hub) -> Hub:
    folder = hub.root / "datasets" / "org" / "name"
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text('{"a": 1}\n')
    (folder / "notes.txt").write_text("x")
    return hub


@pytest.mark.slow
def test_a_file_is_fetched_once_and_found_again_without_a_network(filled: Hub) -> None:
    fetch = "(c := R.commit(), R.download('rows.jsonl', c).read_text())"
    done = run(filled, fetch)
    assert done.stdout.strip() == str((COMMIT, '{"a": 1}\n')), done.stderr
    asked = len(filled.requests)
    assert run(filled, fetch, HF_HUB_OFFLINE="1").stdout == done.stdout
    assert len(filled.requests) == asked
    assert run(filled, "R.files()").stdout.strip() == "['notes.txt', 'rows.jsonl']"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "said", "then"),
    [
        ("gated", "org/name is gated: the hub gives it only to those who have accepted its terms", "accept them on"),
        ("private", "org/name is not on the hub, or private", "hf auth login; then: another way"),
        ("offline", "org/name cannot be reached (HF_HUB_OFFLINE is set)", "another way"),
        ("nobody", "org/name cannot be reached (no network?)", "another way"),
        ("no file", "org/name (revision main) has no file gone.csv (there are: rows.jsonl)", "another way"),
        ("no name", "is no name of a repository on the hub", "org/name"),
    ],
)
def test_each_refusal_is_one_message_and_a_way_out(filled: Hub, trouble: str, said: str, then: str) -> None:
    more, what = {}, "R.download('rows.jsonl', R.commit())"
    if trouble in ("gated", "private"):
        getattr(filled, trouble).add("org/name")
    elif trouble == "offline":
        more["HF_HUB_OFFLINE"] = "1"
    elif trouble == "nobody":
        more["HF_ENDPOINT"] = "http://127.0.0.1:9"
    elif trouble == "no file":
        what = "R.download('gone.csv', R.commit(), lambda name: name.endswith('.jsonl'))"
    else:
        what = "Repository('org/na/me', 'dataset').commit()"
    done = run(filled, what, **more)
    assert done.returncode == 2, done.stderr
    error, hint = done.stderr.strip().splitlines()
    assert said in error
    assert then in hint


def test_that_the_client_tries_again_is_told_once(hub: Hub) -> None:
    fetch = f"(setattr(time, 'sleep', lambda seconds: None), R.download('rows.jsonl', '{COMMIT}'))"
    told, error, _ = run(hub, fetch, HF_ENDPOINT="http://127.0.0.1:9").stderr.strip().splitlines()
    assert told.startswith("the hub does not answer; trying again")
    assert "org/name cannot be reached (no network?)" in error


def test_weights_in_two_forms_are_fetched_once(hub: Hub) -> None:
    folder = hub.root / "models" / "org" / "both"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "pytorch_model.bin", "read.pdf"):
        (folder / name).write_bytes(b"{}")
    what = "sorted(p.name for p in Repository('org/both').snapshot(['*.pdf'], ('.safetensors', '*.bin')).iterdir())"
    assert run(hub, what).stdout.strip() == "['config.json', 'model.safetensors']"


def test_the_cache_is_seen_without_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert snapshot("org/name") is None
    for number, name in enumerate(("old", "new")):
        folder = tmp_path / "models--org--name" / "snapshots" / name
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    assert snapshot("org/name") == tmp_path / "models--org--name" / "snapshots" / "new"


def http_error(kind: type[errors.HfHubHTTPError], status: int) -> errors.HfHubHTTPError:
    return kind("no", response=httpx.Response(status, request=httpx.Request("GET", "http://hub")))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (http_error(errors.RevisionNotFoundError, 404), "org/name has no revision v9 on the hub"),
        (http_error(errors.HfHubHTTPError, 403), r"the hub refused org/name \(HTTP 403\)"),
        (http_error(errors.HfHubHTTPError, 503), r"the transfer of x.csv of org/name broke off \(no\)"),
        (httpx.ReadTimeout("no"), r"the transfer of x.csv of org/name broke off \(no\)"),
        (httpx.ConnectTimeout("no"), r"org/name cannot be reached \(no network\?\): no"),
    ],
)
def test_what_a_stand_in_cannot_show(error: Exception, said: str) -> None:
    with pytest.raises(UserError, match=said), Repository("org/name", revision="v9").clear_errors("x.csv"):
        raise error


def test_without_a_network_the_cause_and_a_mirror_are_named_as_long_as_none_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hints = []
    for mirror in ("", "https://mirror.example"):
        monkeypatch.setenv("HF_ENDPOINT", mirror)
        error = errors.LocalEntryNotFoundError("An error happened ... Please check your connection")
        error.__cause__ = httpx.ConnectError("[Errno 111] Connection refused")
        with pytest.raises(UserError) as told, Repository("org/name").clear_errors():
            raise error
        assert told.value.message == "org/name cannot be reached (no network?): [Errno 111] Connection refused"
        hints.append(told.value.hint)
    assert ["HF_ENDPOINT=" in hint for hint in hints] == [True, False]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full", "x"), FileNotFoundError(2, "no", "x"), ValueError("x")]
)
def test_what_is_not_of_the_hub_goes_through(error: Exception) -> None:
    with pytest.raises(type(error)), Repository("org/name").clear_errors():
        raise error


def test_an_upload_needs_a_repository_and_a_login(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(UserError, match="is no repository"):
        Repository("just-a-name").upload(tmp_path, "x")
    assert "hf auth login" in upload(tmp_path, hub, "").stderr


def test_a_folder_is_uploaded_whole(tmp_path: Path, hub: Hub) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "README.md").write_text("a card")
    (folder / "model.safetensors").write_bytes(bytes(range(256)))
    done = upload(folder, hub, "hf_secret")
    assert done.returncode == 0, done.stderr
    assert "me/mine" in done.stdout
    assert (hub.root / "models/me/mine/model.safetensors").read_bytes() == bytes(range(256))
    assert (hub.root / "models/me/mine/README.md").read_text() == "a card"


def upload(folder: Path, hub: Hub, token: str) -> subprocess.CompletedProcess[str]:
    return run(hub, f"Repository('me/mine').upload(Path({str(folder)!r}), 'Upload')", HF_TOKEN=token)


def test_an_endpoint_without_its_protocol_is_told_at_once(hub: Hub) -> None:
    said = run(hub, "R.files()", HF_ENDPOINT="mirror.example").stderr
    assert "HF_ENDPOINT=mirror.example is no address" in said
    assert "export HF_ENDPOINT=https://mirror.example" in said
