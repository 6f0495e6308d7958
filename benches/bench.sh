#!/usr/bin/env bash
# Measures the engine on generated projects, beside Terraform where that is installed. SWITCHBACK names the
# binary. Arguments: the sizes; 100, 1000 and 10000 when there are none. With `ledger` before them it measures
# reading back a ledger of so many records, with `migrations` running so many small migrations beside other tools,
# with `rehearsal` rehearsing one migration, and so many, with `estimates` what heavy statements take beside what was
# estimated, on tables of so many rows.
set -euo pipefail
program=chain.py
if [ "${1:-}" = ledger ]; then
    program=ledger.py
    shift
elif [ "${1:-}" = migrations ]; then
    program=migrations.py
    shift
elif [ "${1:-}" = rehearsal ]; then
    program=rehearsal.py
    shift
elif [ "${1:-}" = estimates ]; then
    program=estimates.py
    shift
fi
exec python3 "$(dirname "$0")/$program" "$@"
