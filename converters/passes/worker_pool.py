"""The same function over many chunks in several processes, results in order, few chunks in memory at once."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from common.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
IN_FLIGHT = 3
"""Chunks under way for each process: enough that none waits, few enough to stay small."""


def workers() -> int:
    """Return how many processes to use: as many as there are processors for us."""
    own = getattr(os, "sched_getaffinity", None)
    return max(1, min(16, len(own(0)) if own else os.cpu_count() or 1))


def ordered_map(
    function: Callable[..., Result], items: Iterable[Item], processes: int, *shared: Any
) -> Iterator[Result]:
    """Yield function(item, *shared) for each item, in order. What is shared goes to each process once."""
    if processes <= 1:
        yield from (function(item, *shared) for item in items)
        return
    # Not forked: a copy of a process whose libraries have threads (rensa's) can wait for ever for one that is not there.  # noqa: E501
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes, context, _prepare, shared)
    waiting: deque[Future[Result]] = deque()
    try:
        with _ctrl_c_waits():
            for _ in range(processes):  # all of them start now
                executor.submit(os.getpid)
        for item in items:
            waiting.append(executor.submit(_with_shared, function, item))
            if len(waiting) >= processes * IN_FLIGHT:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise UserError(
            "a worker process was ended from outside (out of memory?)",
            "python -m converters convert ... --workers 1 uses a single one",
        ) from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started: one that died of it in the making would be waited for for ever."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_shared: tuple[Any, ...]


def _with_shared(function: Callable[..., Result], item: Any) -> Result:
    return function(item, *_shared)


def _prepare(*shared: Any) -> None:
    global _shared  # noqa: PLW0603 - one for each process, set before it works
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: killed -9, that one cannot say so itself."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
