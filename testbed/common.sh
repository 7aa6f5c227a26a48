# Shared by the scripts of this directory; sourced, never run. `packages.sh`, `ways.sh` and `engines.sh` build on it.
# shellcheck shell=bash disable=SC2034
. "$(dirname "${BASH_SOURCE[0]}")/failures.sh"
testbed=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(dirname "$testbed")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ghcr-publish
# Separates what is started here (engines, their data, bridges, logs) from what another run on this machine starts.
instance=${TESTBED_INSTANCE:-ghcr-publish}
state=/run/$instance-testbed
mkdir -p "$cache/bin"
PATH=$cache/bin:$PATH # what `ways.sh` installed

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() {
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

# `debian 12`, `ubuntu 24`, or the name of another system.
system() {
    (. /etc/os-release 2>/dev/null && echo "${ID:-unknown} ${VERSION_ID%%.*}") || uname -s
}

# The version of the engine that the environment names, or of the one at an address.
engine_answers() {
    timeout 20 docker version --format '{{.Server.Version}}' 2>/dev/null
}
engine_answers_at() { # DOCKER_HOST
    DOCKER_HOST=$1 engine_answers
}

# The path of buildx, from the same places that the program looks in.
buildx_path() {
    local place
    if type -P buildx || type -P docker-buildx; then return 0; fi
    for place in "${DOCKER_CONFIG:-$HOME/.docker}" /usr/local/lib/docker /usr/local/libexec/docker /usr/lib/docker /usr/libexec/docker; do
        [ ! -x "$place/cli-plugins/docker-buildx" ] || { echo "$place/cli-plugins/docker-buildx"; return 0; }
    done
    return 1
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }
