#!/usr/bin/env bash
# Runs a command of Switchback as a GitHub Deployment: `deploy.sh ENVIRONMENT apply dev --auto-approve`.
# The deployment's status says what the exit code says (docs/exit-codes.md); what waits is no failure of the job. What is
# done is tested.
set -euo pipefail

environment=$1
shift

api() { gh api --method POST "repos/$GITHUB_REPOSITORY/$1" --input - "${@:2}"; }

deployment=$(
  printf '{"ref":"%s","environment":"%s","auto_merge":false,"required_contexts":[],"description":"switchback"}' \
    "$GITHUB_SHA" "$environment" | api deployments --jq .id
)

status() {
  printf '{"state":"%s","description":"%s","log_url":"%s"}' "$1" "$2" \
    "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID" |
    api "deployments/$deployment/statuses" --silent
}

# The tests of the project, against what stands there now. That they passed is recorded: `requires_tests` of the next
# environment asks for it. An environment that no test is for (3) has nothing to pass.
tests() {
  local code=0
  compgen -G 'tests/*.test.hcl' > /dev/null || return 0
  switchback test "$environment" --lock-timeout 10m 2>&1 | tee -a switchback.log || code=${PIPESTATUS[0]}
  ((code == 0 || code == 3))
}

status in_progress "switchback is at work"
code=0
tested=0
switchback "$@" 2>&1 | tee switchback.log || code=${PIPESTATUS[0]}
if ((code == 0)); then tests || tested=1; fi

{
  printf '### %s: `switchback %s` ended with %s\n\n````\n' "$environment" "$*" "$code"
  cat switchback.log
  printf '````\n'
} >> "$GITHUB_STEP_SUMMARY"

case $code in
  0)
    if ((tested == 0)); then
      status success "done and verified"
    else
      status failure "done and verified, but its tests do not pass"
      exit 1
    fi
    ;;
  9)
    status pending "a signature is missing, or a gate is closed"
    echo "::warning::$environment waits: sign the plan ('switchback approve') or open the gate (an acceptance, time), as said above; then run this job again"
    exit 0
    ;;
  10)
    status pending "parked: it waits"
    echo "::warning::$environment is parked; the workflow 'switchback resume' goes on"
    exit 0
    ;;
  7) status error "another run holds the environment" ;;
  11) status failure "done, but planning again is not empty" ;;
  12) status failure "failed, and everything was taken back" ;;
  6) status failure "stopped half-way: switchback resume, or rollback --last" ;;
  13) status failure "in doubt: a person has to look (switchback status)" ;;
  *) status error "refused, nothing was changed" ;;
esac
exit "$code"
