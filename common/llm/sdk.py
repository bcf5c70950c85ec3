"""The openai SDK, imported for less: its import is most of what a command costs before its first call."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

UNUSED = "aiohttp"  # a second transport, which the SDK imports where it is installed


def load_sdk() -> ModuleType:
    """Import `openai` and return it."""
    if "openai" not in sys.modules:
        with _collector_off(), _hidden(UNUSED):
            import openai  # noqa: F401
    return sys.modules["openai"]


@contextmanager
def _collector_off() -> Iterator[None]:
    """Never search for garbage among what is imported: it stays for good. Most of it would be spent at exit."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Have a package that nobody has imported yet look as if it were not installed."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
