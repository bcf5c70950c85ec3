"""The SDK is imported whole, without what it does not need, and leaves the process as it found it."""

import json
import subprocess
import sys

from tests.checkout import ROOT

LOAD = """
import gc, json, sys
from common.llm.sdk import load_sdk
openai = load_sdk()
seen = {"again": load_sdk() is openai, "client": hasattr(openai, "AsyncOpenAI"), "collects": gc.isenabled()}
seen |= {"hidden": "aiohttp" not in sys.modules, "frozen": gc.get_freeze_count() > 100_000}
import aiohttp
seen["there"] = hasattr(aiohttp, "ClientSession")
print(json.dumps(seen))
"""


def test_the_sdk_comes_without_a_second_transport_and_without_garbage_collection() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD], cwd=ROOT, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert all(seen.values()), seen
