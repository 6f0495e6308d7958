"""Rehearsals: one migration, and so many in a row, each up, down, up with a certificate. Wall and CPU seconds.

The target is an empty database of a throw-away server, so that every migration is pending. Before anything is measured
one is rehearsed, so that the prepared cluster and the programs are in the cache; `--fresh` leaves aside what was proved.
The CPU is that of the command; the servers it starts are not its children's children for long enough to be counted.
The best of so many runs counts (SWITCHBACK_BENCH_RUNS).
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from migrations import RUNS, SWITCHBACK, Server, folders, measure, project


def certified(folder, environment, count):
    """Whether every migration has the certificate that it deserves."""
    command = [SWITCHBACK, "rehearse", "dev", "--json"]
    answer = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True).stdout
    found = json.loads(answer)["migrations"]
    if len(found) != count or any(one["certificate"]["verdict"]["verdict"] != "exact" for one in found):
        sys.exit(f"not all of the {count} migrations are certified as exact: {found[:1]}")


def rehearse(root, server, count):
    """One line for so many migrations."""
    place = root / str(count)
    place.mkdir()
    ours, _ = folders(place, count)
    folder = project(place / "project", server.url("bench"), ours)
    environment = {**os.environ, "NO_COLOR": "1", "SWITCHBACK_CI": "1", "XDG_CACHE_HOME": str(root / "cache")}
    command = [SWITCHBACK, "rehearse", "dev", "--fresh"]
    best = min((measure(command, environment, folder) for _ in range(RUNS if count > 1 else RUNS + 1)))
    certified(folder, environment, count)
    print(f"{count} rehearsed {best[0]:7.2f} s wall  {best[1]:6.2f} s client CPU")


def main(count):
    with tempfile.TemporaryDirectory(prefix="sb-bench-") as root:
        root = pathlib.Path(root)
        server = Server(root)
        try:
            server.fresh("bench")
            for number in sorted({1, count}):
                rehearse(root, server, number)
        finally:
            server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
