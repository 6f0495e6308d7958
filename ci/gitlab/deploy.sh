#!/usr/bin/env bash
# Runs a command of Switchback in a job of GitLab: `deploy.sh ENVIRONMENT apply dev --auto-approve`. Jobs allow the exit
# codes 9 (a signature is missing or a gate is closed) and 10 (parked) in `allow_failure`, so that they stop the pipeline
# with a warning. What is done is tested.
set -euo pipefail

environment=$1
shift

# The tests of the project, against what stands there now. That they passed is recorded: `requires_tests` of the next
# environment asks for it. An environment that no test is for (3) has nothing to pass.
tests() {
  local code=0
  compgen -G 'tests/*.test.hcl' > /dev/null || return 0
  switchback test "$environment" --lock-timeout 10m 2>&1 | tee -a switchback.log || code=${PIPESTATUS[0]}
  ((code == 0 || code == 3))
}

code=0
switchback "$@" 2>&1 | tee switchback.log || code=${PIPESTATUS[0]}
case $code in
  0) tests || { echo "done and verified, but its tests do not pass" && exit 1; } ;;
  9) echo "it waits: sign the plan ('switchback approve') or open the gate (an acceptance, time), as said above; then run this job again" ;;
  10) echo "it is parked: the scheduled pipeline with SWITCHBACK=resume goes on" ;;
  11) echo "done, but planning again is not empty" ;;
  12) echo "failed, and everything was taken back" ;;
  6) echo "stopped half-way: 'switchback resume', or 'switchback rollback --last'" ;;
  13) echo "in doubt: a person has to look ('switchback status')" ;;
  *) echo "refused, nothing was changed" ;;
esac
exit "$code"
