# Error messages of scripts; sourced by those of `testbed/`, `release/` and `.ci/`, never run.
# shellcheck shell=bash
say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$@"; exit 1; }

# Every script that fails prints the command that failed, also in functions and `$(...)`.
report_failure() { # STATUS-OF-EACH-PART COMMAND
    local command=${2%%$'\n'*}
    [[ $1 != *' '* ]] || command="... | $command"
    say "$(basename "${BASH_SOURCE[1]:-$0}") line ${BASH_LINENO[0]}: \`$command\` failed with status $1"
}
set -E
shopt -s inherit_errexit
trap 'report_failure "${PIPESTATUS[*]}" "$BASH_COMMAND"' ERR
