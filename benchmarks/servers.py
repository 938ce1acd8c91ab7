"""`python -m benchmarks.servers`: the same turns and idle sockets served by daphne and by uvicorn, in turn."""

import argparse
import asyncio

from . import sockets, turns
from .live import bench


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[50, 250])
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--idle", type=int, default=2_000)
    parser.add_argument("--times", type=int, default=2, help="how often the two are measured")
    options = parser.parse_args()
    sockets.allow_many_files()
    for server in ["daphne", "uvicorn"] * options.times:
        print(f"--- {server}")
        with bench(server=server) as b:
            print("Warming up:")
            asyncio.run(turns.measure(b, options.streams[0], 0, 1, options.tokens))
            turns.header()
            for streams in options.streams:
                asyncio.run(turns.measure(b, streams, 0, 2, options.tokens))
            asyncio.run(sockets.measure(b, options.idle, 0, options.tokens))


if __name__ == "__main__":
    main()
