"""A chat endpoint of fixed latency for `python -m tests.bench.judging`; it answers with a verdict and counts its calls.

    python -m tests.bench.bench_server LATENCY_SECONDS REFUSED_SHARE

Prints its port. REFUSED_SHARE of the prompts get one 429 with `Retry-After: 1`. GET /stats returns the seconds from the
first call to the last answer, the calls, and how many were refused; it also starts the count anew.
"""

import asyncio
import hashlib
import json
import sys
import time

VERDICT = (
    "Both answers are to the point.\n\n" + "They differ in detail. " * 20 + "\n\nAssistant 1 is equal to Assistant 2"
)


class Bench:
    """The endpoint and what it has seen."""

    def __init__(self, latency: float, refused_share: float) -> None:
        self.latency, self.refused_share = latency, refused_share
        self.first = self.last = 0.0
        self.calls = 0
        self.refused: set[bytes] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it is closed."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = head.lower()
                start = fields.find(b"content-length:")
                length = int(fields[start + 15 : fields.index(b"\r\n", start)]) if start >= 0 else 0
                body = await reader.readexactly(length)
                if head.startswith(b"GET /stats"):
                    status, headers, answer = self.stats()
                elif head.startswith(b"GET"):  # the models, which are asked for once
                    status, headers, answer = "404 Not Found", "", b"{}"
                else:
                    status, headers, answer = await self.chat(body)
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n"
                    f"{headers}\r\n".encode()
                    + answer
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def chat(self, body: bytes) -> tuple[str, str, bytes]:
        """Wait the latency out and answer; some prompts are refused the first time."""
        self.first = self.first or time.perf_counter()
        self.calls += 1
        digest = hashlib.sha256(body).digest()
        if digest[0] < 256 * self.refused_share and digest not in self.refused:
            self.refused.add(digest)
            return "429 Too Many Requests", "Retry-After: 1\r\n", b'{"error": {"message": "slow down"}}'
        await asyncio.sleep(self.latency)
        self.last = time.perf_counter()
        message = {"role": "assistant", "content": VERDICT}
        answer = {
            "id": "x", "object": "chat.completion", "created": 1, "model": "bench",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020},
        }  # fmt: skip
        return "200 OK", "", json.dumps(answer).encode()

    def stats(self) -> tuple[str, str, bytes]:
        """Return what was seen, and forget it."""
        seen = {"span": self.last - self.first, "calls": self.calls, "refused": len(self.refused)}
        self.first, self.calls, self.refused = 0.0, 0, set()
        return "200 OK", "", json.dumps(seen).encode()


async def main() -> None:
    """Serve on a free port of loopback until killed."""
    bench = Bench(float(sys.argv[1]), float(sys.argv[2]))
    server = await asyncio.start_server(bench.serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
