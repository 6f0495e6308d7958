#!/usr/bin/env bash
# Measures the engine on generated projects, beside Terraform where that is installed. SWITCHBACK names the
# binary. Arguments: the sizes; 100, 1000 and 10000 when there are none.
set -euo pipefail
exec python3 "$(dirname "$0")/chain.py" "$@"
