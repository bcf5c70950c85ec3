"""Proxies of the environment, as people have them: HTTPS_PROXY, ALL_PROXY=socks://..., NO_PROXY=[::1]."""

import os
from urllib.parse import urlsplit


def tidy() -> None:
    """Rewrite what Python's HTTP clients stumble over: socks://, a proxy without a scheme, IPv6 in NO_PROXY."""
    for name, value in list(os.environ.items()):
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy") and value.strip():
            scheme, _, place = value.strip().rpartition("://")
            os.environ[name] = f"{'socks5' if scheme == 'socks' else scheme or 'http'}://{place}"
        elif name.lower() == "no_proxy":
            hosts = [host.strip().strip("[]") for host in value.split(",")]
            os.environ[name] = ",".join(host for host in hosts if not (":" in host and "/" in host))


def of(url: str) -> str:
    """Return the proxy that a URL is asked through, without its password; "" for none."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme) or getproxies().get("all") or ""
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    scheme, _, place = proxy.rpartition("://")
    return f"{scheme}://{place.rpartition('@')[2]}"


def note(url: str) -> str:
    """Return what an error says of the proxy, "" where there is none."""
    proxy, host = of(url), urlsplit(url).hostname
    return f" (asked through the proxy {proxy}; NO_PROXY={host} asks directly)" if proxy else ""


def unusable(error: Exception) -> tuple[str, str] | None:
    """Return what is wrong with a proxy that an HTTP client cannot use and the way out; None for other errors."""
    given = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") and value}
    known = isinstance(error, ValueError | ImportError) or type(error).__name__ == "InvalidURL"
    if not given or not known or not any(sign in str(error).lower() for sign in ("proxy", "url", "port", "socks")):
        return None
    way_out = f"set one that begins with http://, https:// or socks5://, or unset {' '.join(sorted(given))}"
    return f"the proxy of the environment cannot be used: {error}", way_out
