"""Many small migrations: wall and client CPU seconds beside psql, refinery's and sqlx's command line.

Each tool applies the same migrations to a fresh database of one throw-away server, each migration in one transaction
with its history row, then finds nothing to do. psql gets one script for all of them: it is what the server itself
costs. `apply` is the same through a plan and the ledger, without a rehearsal. Tools that are not on the path are left
out. The tools take turns, each round beginning with another one; the first round is not counted, for a server that has
just been made is faster than it will ever be again. The median of so many rounds counts (SWITCHBACK_BENCH_RUNS).
"""

import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SWITCHBACK = os.path.abspath(os.environ["SWITCHBACK"])
RUNS = int(os.environ.get("SWITCHBACK_BENCH_RUNS", "5"))
NOBODY = 65534


def programs():
    """Where the newest installed server is."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        sys.exit("PostgreSQL is not installed")
    return found[-1].parent


class Server:
    """A server with real durability that goes with this process."""

    def __init__(self, folder):
        self.folder, self.bin = folder, programs()
        # Whoever is told to end ends the server as well.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
        self.user = NOBODY if os.geteuid() == 0 else None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        data = folder / "data"
        data.mkdir()
        if self.user:
            os.chmod(folder, 0o755)
            os.chown(data, NOBODY, NOBODY)
        self.run("initdb", "-D", data, "-U", "bench", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8")
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories="
        self.run("pg_ctl", "-D", data, "-w", "-l", data / "log", "-o", options, "start")

    def run(self, program, *arguments):
        subprocess.run(
            [str(self.bin / program), *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, cwd="/tmp",
            user=self.user, group=self.user, extra_groups=[] if self.user else None,
        )

    def url(self, database):
        return f"postgres://bench@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def fresh(self, database):
        for statement in (f'drop database if exists "{database}"', f'create database "{database}"'):
            subprocess.run(["psql", "-q", self.url("postgres"), "-c", statement], check=True, stderr=subprocess.DEVNULL)

    def stop(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")


def text(number):
    """One small migration."""
    return (
        f"create table t{number} (id bigint primary key, name text not null);\n"
        f"create index t{number}_name on t{number} (name);\n"
    )


def folders(root, count):
    """The same migrations in each tool's layout."""
    ours, sqlx = root / "refinery", root / "sqlx"
    ours.mkdir()
    sqlx.mkdir()
    for number in range(1, count + 1):
        (ours / f"V{number}__t{number}.sql").write_text(text(number))
        (ours / f"V{number}__t{number}.down.sql").write_text(f"drop table t{number};\n")
        (sqlx / f"{number:014}_t{number}.sql").write_text(text(number))
    with open(root / "all.sql", "w", encoding="utf-8") as script:
        script.write("create table history (version int primary key, name text, applied_on text, checksum text);\n")
        for number in range(1, count + 1):
            script.write(f"begin;\n{text(number)}insert into history values ({number}, 't', now(), '0');\ncommit;\n")
    return ours, sqlx


def project(folder, url, migrations):
    """A project with these migrations of one database."""
    (folder / "environments").mkdir(parents=True)
    (folder / "switchback.hcl").write_text('project "bench" {\n  ledger = "file:.switchback/ledger"\n}\n')
    (folder / "environments" / "dev.hcl").write_text(
        f'database "bench" {{\n  url        = "{url}"\n  migrations = "../migrations"\n}}\n'
    )
    shutil.copytree(migrations, folder / "migrations")
    return folder


def measure(command, environment, folder=None):
    """Wall and CPU seconds of a command and its children."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, cwd=folder
    )
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed: {said.decode(errors='replace')[-2000:]}")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime


def main(count):
    with tempfile.TemporaryDirectory(prefix="sb-bench-") as root:
        root = pathlib.Path(root)
        ours, sqlx = folders(root, count)
        server = Server(root)
        try:
            url = server.url("bench")
            environment = {**os.environ, "DATABASE_URL": url, "NO_COLOR": "1", "SWITCHBACK_CI": "1"}
            commands = {
                "psql": ["psql", "-q", "-v", "ON_ERROR_STOP=1", url, "-f", str(root / "all.sql")],
                "switchback": [SWITCHBACK, "migrate", "up", "--url", url, "--dir", str(ours), "--auto-approve"],
                "apply": [
                    SWITCHBACK, "apply", "dev", "--auto-approve", "--no-progress", "--no-rehearsal",
                    "--accept-unproved", "all",
                ],
            }
            if shutil.which("refinery"):
                commands["refinery"] = ["refinery", "migrate", "-e", "DATABASE_URL", "-p", str(ours)]
            if shutil.which("sqlx"):
                commands["sqlx"] = ["sqlx", "migrate", "run", "--source", str(sqlx)]
            rounds = {name: [] for name in commands}
            for number in range(RUNS + 1):
                names = list(commands)
                first = number % len(names)
                for name in names[first:] + names[:first]:
                    server.fresh("bench")
                    folder = project(root / f"project{number}", url, ours) if name == "apply" else None
                    run = measure(commands[name], environment, folder)
                    again = measure(commands[name], environment, folder) if name != "psql" else (0.0, 0.0)
                    if number:
                        rounds[name].append((*run, again[0]))
            figures = {name: [statistics.median(of) for of in zip(*runs)] for name, runs in rounds.items()}
            wall, cpu, _ = figures["psql"]
            for name, (took, spent, again) in figures.items():
                print(
                    f"{count} migrations {name:11} {took:7.2f} s wall ({took / wall:4.2f} times psql)"
                    f"  {spent:6.2f} s client CPU ({spent / cpu:5.2f} times)   second run {again:.3f} s wall"
                )
        finally:
            server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
