"""Clients that send bodies as fast as they are answered; prints seconds and latencies as JSON."""

import asyncio
import json
import sys
import time
from pathlib import Path


async def client(port: int, requests: list[bytes], taken: list[float]) -> None:
    """Send requests one after the other over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        begin = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        if b" 202 " not in head[:20]:
            raise SystemExit(f"{head!r} {body!r}")
        taken.append(time.perf_counter() - begin)
    writer.close()


async def flood(port: int, path: str, media: str, folder: Path, clients: int) -> dict[str, float]:
    """All bodies of a folder, spread over some clients."""
    requests = []
    for file in sorted(folder.iterdir()):
        body = file.read_bytes()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    taken: list[float] = []
    begin = time.perf_counter()
    await asyncio.gather(
        *(client(port, requests[first::clients], taken) for first in range(clients))
    )
    seconds = time.perf_counter() - begin
    taken.sort()
    return {
        "seconds": seconds,
        "median_s": taken[len(taken) // 2],
        "p99_s": taken[int(len(taken) * 0.99)],
    }


if __name__ == "__main__":
    port, path, media, folder, clients = sys.argv[1:]
    found = asyncio.run(flood(int(port), path, media, Path(folder), int(clients)))
    print(json.dumps(found))
