"""Estimates: what ten heavy statements take, beside what the plan said that they would take.

For each number of rows a table is filled on a throw-away server with real durability. Then, one statement after the
other: the tool plans it as a migration, with the rates that it measured itself on its rehearsal server; the statement
runs through psql, which times it; the table is analyzed. Up to 100,000 rows there are three such tables, and the median
counts, for a disk that was busy for a moment would say more than the statement. Whatever takes less than the floor is
too short to be judged.
Arguments: the numbers of rows; 1000, 100000 and 5000000 when there are none.
"""

import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from migrations import SWITCHBACK, Server

FLOOR_SECONDS = 0.05
FACTOR = 3.0

TABLES = """
create table customers (id int primary key, name text);
insert into customers select g, 'customer ' || g from generate_series(1, greatest({rows} / 10, 1)) g;
create table orders (id int primary key, customer int, amount int, state text, note text);
insert into orders select g, 1 + (g * 7919::bigint) % greatest({rows} / 10, 1), (g * 104729::bigint) % 100000,
    (array['new', 'paid', 'sent'])[1 + g % 3], md5(g::text) || md5((g * 31)::text) from generate_series(1, {rows}) g;
"""

# Their order keeps each of them on a table that the one before did not make much larger.
STATEMENTS = [
    ("set not null", "alter table orders alter amount set not null"),
    ("add check", "alter table orders add constraint positive check (amount >= 0)"),
    ("add foreign key", "alter table orders add constraint placed foreign key (customer) references customers"),
    ("change a type", "alter table orders alter amount type bigint"),
    ("add a volatile default", "alter table orders add token uuid not null default gen_random_uuid()"),
    ("update every row", "update orders set state = 'old'"),
    ("vacuum full", "vacuum full orders"),
    ("build an index, numbers", "create index orders_customer on orders (customer)"),
    ("build one concurrently, texts", "create index concurrently orders_note on orders (note)"),
    ("add unique", "alter table orders add constraint once unique (customer, id)"),
]


def psql(url, *statements):
    """What psql says to statements that are sent one by one."""
    command = ["psql", "-q", "-At", "-v", "ON_ERROR_STOP=1", url]
    for statement in statements:
        command += ["-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def estimated(folder, environment, statement):
    """What the plan says of this statement as the only migration: seconds, and the whole estimate."""
    shutil.rmtree(folder / "migrations")
    (folder / "migrations").mkdir()
    alone = "vacuum" in statement or "concurrently" in statement
    head = "-- switchback: transaction off\n" if alone else ""
    (folder / "migrations" / "V1__heavy.sql").write_text(f"{head}{statement};\n")
    answer = subprocess.run(
        [SWITCHBACK, "plan", "dev", "--json"], cwd=folder, env=environment, capture_output=True, text=True
    )
    if answer.returncode:
        sys.exit(f"{statement}: {answer.stderr}")
    step = json.loads(answer.stdout)["steps"][-1]
    risk = step.get("risk") or sys.exit(f"{statement}: no estimate: {step.get('certificate')}")
    return risk["forth"].get("seconds"), risk


def measured(url, statement):
    """How long psql says that it takes, in seconds."""
    said = psql(url, "\\timing on", statement)
    return float(re.search(r"Time: ([0-9.]+) ms", said)[1]) / 1000


def one_size(root, server, rows):
    """Lines for a table of so many rows; how many of them lie outside."""
    databases = [f"bench{number}" for number in range(3 if rows <= 100_000 else 1)]
    urls = [server.url(database) for database in databases]
    for database, url in zip(databases, urls):
        server.fresh(database)
        psql(url, *[one for one in TABLES.format(rows=rows).split(";\n") if one.strip()], "vacuum analyze")
    folder = root / f"project{rows}"
    (folder / "environments").mkdir(parents=True)
    (folder / "migrations").mkdir()
    (folder / "switchback.hcl").write_text('project "bench" {\n  ledger = "file:.switchback/ledger"\n}\n')
    (folder / "environments" / "dev.hcl").write_text(
        f'database "bench" {{\n  url        = "{urls[0]}"\n  migrations = "../migrations"\n}}\n'
    )
    environment = {**os.environ, "NO_COLOR": "1", "SWITCHBACK_CI": "1", "XDG_CACHE_HOME": str(root / "cache")}
    outside = 0
    for name, statement in STATEMENTS:
        guess, risk = estimated(folder, environment, statement)
        took = statistics.median(measured(url, statement) for url in urls)
        for url in urls:
            psql(url, "analyze orders")
        rates = "measured" if risk.get("measured_on") else "usual"
        if guess is None:
            sys.exit(f"{name}: not estimated: {risk['forth'].get('unknown')}")
        if max(took, guess) < FLOOR_SECONDS:
            judged = "below the floor"
        else:
            factor = took / guess
            is_within = 1 / FACTOR <= factor <= FACTOR
            outside += not is_within
            judged = f"{factor:5.2f}" + ("" if is_within else "  OUTSIDE")
        print(f"{rows:>9} {name:30} measured {took:8.3f} s  estimated {guess:8.3f} s ({rates} rates)  {judged}", flush=True)
    return outside


def main(sizes):
    with tempfile.TemporaryDirectory(prefix="sb-bench-") as root:
        root = pathlib.Path(root)
        server = Server(root)
        try:
            outside = sum(one_size(root, server, rows) for rows in sizes)
            entries = [json.loads(path.read_text()) for path in (root / "cache").rglob("*.json")]
            print("rates", json.dumps([entry["rates"] for entry in entries if "rates" in entry]))
            print(f"outside of a factor of {FACTOR:.0f}: {outside}")
        finally:
            server.stop()


if __name__ == "__main__":
    main([int(rows) for rows in sys.argv[1:]] or [1_000, 100_000, 5_000_000])
