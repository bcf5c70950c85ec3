"""Proxies of the environment in the forms that people have them."""

import os
from pathlib import Path

import pytest

from common import proxies
from common.llm.cache import Cache
from common.llm.client import Client
from common.llm.endpoint import Endpoint


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("given", "tidy"),
    [
        ("socks://127.0.0.1:7891/", "socks5://127.0.0.1:7891/"),
        ("socks5h://127.0.0.1:7891", "socks5h://127.0.0.1:7891"),
        ("127.0.0.1:7890", "http://127.0.0.1:7890"),
        ("http://me:secret@10.0.0.1:3128", "http://me:secret@10.0.0.1:3128"),
    ],
)
def test_every_form_is_one_that_the_clients_take(given: str, tidy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    monkeypatch.setenv("ALL_PROXY", given)
    monkeypatch.setenv("NO_PROXY", "localhost,[::1],fe80::/10,10.0.0.0/8")
    proxies.tidy()
    assert os.environ["ALL_PROXY"] == tidy
    assert os.environ["NO_PROXY"] == "localhost,::1,10.0.0.0/8"
    httpx.Client().close()
    Client(Cache())._sdk(Endpoint("m", "https://api.example.com/v1"))


def test_the_proxy_that_is_asked_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@10.0.0.1:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    assert proxies.of("http://inside.example/v1") == ""
    assert proxies.of("https://outside.example/v1") == ""
    assert proxies.note("http://192.0.2.2:8000/v1") == (
        " (asked through the proxy http://10.0.0.1:3128; NO_PROXY=192.0.2.2 asks directly)"
    )


def test_a_proxy_of_an_unknown_kind_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from common.errors import UserError

    monkeypatch.setenv("HTTPS_PROXY", "socks4://127.0.0.1:1")
    with pytest.raises(UserError, match="proxy of the environment cannot be used") as caught:
        Client(Cache())._sdk(Endpoint("m", "https://api.example.com/v1"))
    assert "unset HTTPS_PROXY" in caught.value.hint
    assert proxies.unusable(KeyError("x")) is None
