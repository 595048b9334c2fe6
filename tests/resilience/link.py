"""`python link.py LISTEN_PORT TARGET_PORT`: a TCP connection on loopback that a test can cut or hold up."""

import asyncio
import sys
from typing import Any

import pproxy


async def main(listen: int, target: int) -> None:
    """Until killed."""
    proxy: Any = pproxy
    server = proxy.Server(f"tunnel{{127.0.0.1:{target}}}://127.0.0.1:{listen}")
    await server.start_server({"rserver": [], "verbose": lambda _: None})
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
