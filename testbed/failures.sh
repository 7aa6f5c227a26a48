# How scripts say what went wrong; sourced by those of `testbed/`, `release/` and `.ci/`, never run.
# shellcheck shell=bash
say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$@"; exit 1; }

# No script ends without saying which command failed, in functions and `$(...)` too.
report_failure() { # STATUS-OF-EACH-PART COMMAND
    local command=${2%%$'\n'*}
    [[ $1 != *' '* ]] || command="... | $command"
    say "$(basename "${BASH_SOURCE[1]:-$0}") line ${BASH_LINENO[0]}: \`$command\` failed with status $1"
}
set -E
shopt -s inherit_errexit
trap 'report_failure "${PIPESTATUS[*]}" "$BASH_COMMAND"' ERR
