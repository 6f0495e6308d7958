"""N `terraform_data` resources in a chain: CPU seconds, peak memory and fsyncs of plan, apply, no-op plan, destroy.

Each resource has six attributes, one of which refers to the one before. Every figure is the best of five runs
(the machine is noisy, the smallest is the truest), each apply and destroy on a ledger of its own with the
durability of a real run. fsyncs are counted in a run of their own under strace, where that is installed.
"""

import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

SWITCHBACK = os.path.abspath(os.environ["SWITCHBACK"])
RUNS = int(os.environ.get("SWITCHBACK_BENCH_RUNS", "5"))
TERRAFORM_LIMIT = int(os.environ.get("SWITCHBACK_BENCH_TERRAFORM_LIMIT", "1000"))


def resources(count):
    """The text of the chain."""
    blocks = []
    for index in range(count):
        link = f"terraform_data.r{index - 1}.output.name" if index else '"first"'
        blocks.append(
            f'resource "terraform_data" "r{index}" {{\n  input = {{\n    name = "r{index}"\n    size = {index}\n'
            f'    zone = "eu-central-1a"\n    team = "shop"\n    live = true\n    link = {link}\n  }}\n}}\n'
        )
    return "".join(blocks)


def measure(command, folder, codes=(0,)):
    """Runs a command: CPU seconds of it and its children, wall seconds, peak memory in MiB."""
    started = time.monotonic()
    with open(folder / "out.log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=ENVIRONMENT)
        _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in codes:
        sys.exit(f"{' '.join(command)} exited {code}:\n{(folder / 'out.log').read_text()[-2000:]}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss / 1024


ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "TF_CLI_ARGS": "-no-color", "CHECKPOINT_DISABLE": "1"}
OURS = {
    "plan": [SWITCHBACK, "plan", "dev", "--detailed-exitcode"],
    "apply": [SWITCHBACK, "apply", "dev", "--auto-approve", "--no-progress"],
    "no-op plan": [SWITCHBACK, "plan", "dev", "--detailed-exitcode"],
    "destroy": [SWITCHBACK, "destroy", "dev", "--auto-approve", "--no-progress"],
}
THEIRS = {
    "plan": ["terraform", "plan", "-detailed-exitcode", "-input=false"],
    "apply": ["terraform", "apply", "-auto-approve", "-input=false"],
    "no-op plan": ["terraform", "plan", "-detailed-exitcode", "-input=false"],
    "destroy": ["terraform", "destroy", "-auto-approve", "-input=false"],
}
CODES = {"plan": (2,), "apply": (0,), "no-op plan": (0,), "destroy": (0,)}


def our_project(folder, count):
    (folder / "environments").mkdir()
    (folder / "switchback.hcl").write_text('project "bench" {\n  ledger = "file:.switchback/ledger"\n}\n')
    (folder / "environments" / "dev.hcl").write_text(resources(count))


def their_project(folder, count):
    (folder / "main.tf").write_text(resources(count))
    subprocess.run(["terraform", "init", "-input=false"], cwd=folder, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)


def best(make, commands, count, runs):
    """The least CPU, wall and memory of each command, over several whole rounds."""
    figures = {}
    for _ in range(runs):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="switchback-bench-", dir=os.environ.get("SWITCHBACK_BENCH_FOLDER")))
        try:
            make(folder, count)
            for name, command in commands.items():
                figures.setdefault(name, []).append(measure(command, folder, CODES[name]))
        finally:
            shutil.rmtree(folder)
    return {name: tuple(min(column) for column in zip(*rows)) for name, rows in figures.items()}


def syncs(count):
    """How often each command syncs a file, in one run under strace; nothing without strace."""
    if not shutil.which("strace"):
        return {}
    counts = {}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="switchback-bench-"))
    try:
        our_project(folder, count)
        for name, command in OURS.items():
            trace = folder / "trace"
            measure(["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(trace), *command], folder, CODES[name])
            counts[name] = sum("sync(" in line for line in trace.read_text().splitlines())
    finally:
        shutil.rmtree(folder)
    return counts


def main():
    sizes = [int(size) for size in sys.argv[1:]] or [100, 1000, 10000]
    has_terraform = shutil.which("terraform") is not None
    table = {}
    for count in sizes:
        ours = best(our_project, OURS, count, RUNS)
        counted = syncs(count)
        theirs = {}
        if has_terraform and count <= TERRAFORM_LIMIT:
            theirs = best(their_project, THEIRS, count, 1 if count >= 1000 else RUNS)
        for name in OURS:
            cpu, wall, memory = ours[name]
            line = f"{count:>6} {name:<11} {cpu:8.3f} s CPU {wall:8.3f} s wall {memory:7.1f} MiB {counted.get(name, '?'):>6} fsyncs"
            if name in theirs:
                line += f"   terraform {theirs[name][0]:8.2f} s CPU ({theirs[name][0] / cpu:.0f} times)"
            print(line, flush=True)
        table[count] = {name: {"cpu_seconds": row[0], "wall_seconds": row[1], "memory_mib": row[2]} for name, row in ours.items()}
    if len(sizes) > 1:
        small, large = sizes[-2], sizes[-1]
        for name in OURS:
            ratio = table[large][name]["cpu_seconds"] / max(table[small][name]["cpu_seconds"], 1e-9)
            print(f"exponent of {name:<11} from {small} to {large}: {math.log(ratio) / math.log(large / small):.2f}")
    if path := os.environ.get("SWITCHBACK_BENCH_JSON"):
        pathlib.Path(path).write_text(json.dumps(table, indent=2))


main()
