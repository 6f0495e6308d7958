"""What a long ledger costs: CPU seconds of reading it back, bytes per step, and where they are.

Applies N/2 `terraform_data` (each step is two records) into a file, then reads the whole chain back with verbs that
do little else. Every figure is the best of five runs. SWITCHBACK names the binary, the argument the number of records.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

SWITCHBACK = os.path.abspath(os.environ["SWITCHBACK"])
RUNS = int(os.environ.get("SWITCHBACK_BENCH_RUNS", "5"))
ENVIRONMENT = {**os.environ, "NO_COLOR": "1"}
VERBS = {
    "nothing (version)": ["--version"],
    "history": ["history", "dev"],
    "history --verify": ["history", "dev", "--verify"],
    "history --export": ["history", "dev", "--export"],
    "status": ["status", "dev"],
}


def cpu(words, folder):
    """CPU seconds of one command; nothing when this version does not know it."""
    process = subprocess.Popen([SWITCHBACK, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime if os.waitstatus_to_exitcode(status) == 0 else None


def main():
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    count = wanted // 2
    with tempfile.TemporaryDirectory(prefix="switchback-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "environments").mkdir()
        (folder / "switchback.hcl").write_text('project "bench" {}\n')
        blocks = (f'resource "terraform_data" "r{at}" {{\n  input = {{ name = "r{at}", size = {at} }}\n}}\n' for at in range(count))
        (folder / "environments/dev.hcl").write_text('environment "dev" {}\n' + "".join(blocks))
        subprocess.run([SWITCHBACK, "apply", "dev", "--auto-approve", "--no-progress"], cwd=folder, check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = (folder / ".switchback/ledger/dev.jsonl").read_text().splitlines()
        records = [record for line in lines for record in json.loads(line)]
        size = sum(map(len, lines))
        begun = len(json.dumps(next(record for record in records if record["body"]["record"] == "begun"), separators=(",", ":")))
        print(f"{len(records)} records of {count} steps in {len(lines)} lines: {size} bytes, {size / count:.0f} per step; the change set {begun}")
        for name, words in VERBS.items():
            figures = [cpu(words, folder) for _ in range(RUNS)]
            print(f"{name:<20} {min(figures):8.3f} s CPU" if None not in figures else f"{name:<20} not known to this version", flush=True)


main()
