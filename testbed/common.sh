# What the scripts of this folder share; sourced, never run.
# shellcheck shell=bash disable=SC2034
. "$(dirname "${BASH_SOURCE[0]}")/failures.sh"
testbed=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(dirname "$testbed")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ghcr-publish
state=/run/ghcr-publish-testbed # pid files, logs and locks of what we start
graph_bridge=ghcr-graph0
mkdir -p "$cache"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() {
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

# `debian 12`, `ubuntu 24`, or what else the machine says that it is.
system() {
    (. /etc/os-release 2>/dev/null && echo "${ID:-unknown} ${VERSION_ID%%.*}") || uname -s
}

# Some packages start a service when they are installed; these here must not.
apt_install() {
    local policy=/usr/sbin/policy-rc.d ours='' status=0
    if [ ! -e "$policy" ]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 0755 "$policy"
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
        </dev/null >"$cache/apt.log" 2>&1 || status=$?
    [ -z "$ours" ] || as_root rm -f "$policy"
    [ "$status" = 0 ] || { tail -n 5 "$cache/apt.log" >&2; say "apt-get install $* failed, see $cache/apt.log"; }
    return "$status"
}

apt_update() {
    as_root apt-get update -qq >"$cache/apt.log" 2>&1 || { tail -n 5 "$cache/apt.log" >&2; return 1; }
}

# Makes Debian's `sid` known with a priority below everything installed, from the machine's own mirror.
add_sid() {
    local target=/etc/apt/sources.list.d/testbed-sid.sources source
    [ ! -e "$target" ] || return 0
    source=$(as_root grep -lE '^Suites:.*(bookworm|trixie)( |$)' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
    if [ -n "$source" ]; then
        awk -v RS='' '/(^|\n)Suites:[^\n]*(bookworm|trixie)( |\n|$)/ { print; exit }' "$source" |
            sed -E 's/^Suites:.*/Suites: sid/; /^#/d'
    else
        sed -nE 's/^deb (.*) (bookworm|trixie) .*/deb \1 sid main/p' /etc/apt/sources.list | head -n 1
        target=${target%.sources}.list
    fi >"$cache/sid"
    [ -s "$cache/sid" ] || { say "no Debian source found in /etc/apt to derive sid from"; return 1; }
    as_root install -m 0644 "$cache/sid" "$target"
    printf 'Package: *\nPin: release n=sid\nPin-Priority: 40\n' | as_root tee /etc/apt/preferences.d/testbed-sid >/dev/null
}

# The linters of one version, so that a new one of theirs breaks nothing here; found before others of the machine.
actionlint_version=v1.7.12
zizmor_version=1.32.0
use_lint_tools() {
    PATH=$cache/bin:$cache/zizmor/bin:$PATH
}

# The suite that holds recent Docker tools: `/sid` on Debian 12, nothing where the system's own are recent.
suite() {
    [ "$(system)" != 'debian 12' ] || echo /sid
}

# The mirror of the machine's own Debian packages, or nothing on another system.
debian_mirror() {
    { sed -nE 's/^URIs: *([^ ]*debian\/?)( .*)?$/\1/p' /etc/apt/sources.list.d/*.sources
      sed -nE 's/^deb (\[[^]]*\] )?([^ ]*debian\/?) .*/\2/p' /etc/apt/sources.list; } 2>/dev/null | head -n 1
}

engine_answers() {
    timeout 20 docker ${1:+--host "$1"} version --format '{{.Server.Version}}' 2>/dev/null
}

# The buildx program, looked for where ours looks for it.
buildx_path() {
    local place
    type -P buildx docker-buildx | head -n 1 | grep . && return 0
    for place in "${DOCKER_CONFIG:-$HOME/.docker}" /usr/local/lib/docker /usr/local/libexec/docker /usr/lib/docker /usr/libexec/docker; do
        [ ! -x "$place/cli-plugins/docker-buildx" ] || { echo "$place/cli-plugins/docker-buildx"; return 0; }
    done
    return 1
}

is_our_engine() { # PIDFILE
    [ -s "$1" ] && [ "$(cat "/proc/$(cat "$1")/comm" 2>/dev/null)" = dockerd ]
}

# Starts `dockerd` in a session of its own and waits until it answers.
start_engine() { # NAME SOCKET ARGUMENT...
    local name=$1 socket=$2
    shift 2
    as_root mkdir -p "$state"
    # shellcheck disable=SC2016
    as_root setsid sh -c 'echo $$ >"$1"; log=$2; shift 2; exec dockerd "$@" >"$log" 2>&1 </dev/null' \
        sh "$state/$name.pid" "$state/$name.log" "$@" >/dev/null 2>&1 9>&- &
    for _ in $(seq 1 120); do
        ! engine_answers "unix://$socket" >/dev/null || return 0
        sleep 0.25
        [ -e "$state/$name.pid" ] && ! is_our_engine "$state/$name.pid" && sleep 1 &&
            ! is_our_engine "$state/$name.pid" && break
    done
    tail -n 15 "$state/$name.log" >&2
    say "dockerd does not answer on $socket; its log: $state/$name.log"
    return 1
}

# Builds a static Go program. As a dependency of an empty module, since `go install` refuses modules with `exclude`.
go_program() { # OUTPUT PACKAGE VERSION LDFLAGS
    local folder status=0
    folder=$(mktemp -d)
    (cd "$folder" && go mod init testbed/program && go get "$2@$3" &&
        CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $4" -o "$1" "$2") >"$cache/go.log" 2>&1 || status=$?
    rm -rf "$folder"
    [ "$status" = 0 ] || { tail -n 5 "$cache/go.log" >&2; say "could not build $2 $3, see $cache/go.log"; }
    return "$status"
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }
