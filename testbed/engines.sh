# Docker engines: their programs, the engine of the machine, and others beside it. Sourced, never run.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

missing_engine_packages() {
    command -v docker >/dev/null || echo docker-cli
    command -v dockerd >/dev/null || echo docker.io
    buildx_path >/dev/null || echo docker-buildx
}

# Installs the programs of an engine, all from one suite: the system's own, or Debian's `sid` where the own has no buildx.
# Ubuntu has no docker-cli: there docker.io brings the client.
install_engine() { # PACKAGE...
    local package wanted=() suite=''
    offered_now docker-buildx >/dev/null || { add_sid || return 1; suite=/sid; }
    for package; do
        [ -z "$suite" ] && [ "$package" = docker-cli ] && ! offered docker-cli >/dev/null && package=docker.io
        wanted+=("$package$suite")
        [ "$package" != docker.io ] || wanted+=("containerd$suite" iptables iproute2)
    done
    say "installing ${wanted[*]}"
    apt_install "${wanted[@]}" || { apt_update && apt_install "${wanted[@]}"; }
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
        ! engine_answers_at "unix://$socket" >/dev/null || return 0
        sleep 0.25
        [ -e "$state/$name.pid" ] && ! is_our_engine "$state/$name.pid" && sleep 1 &&
            ! is_our_engine "$state/$name.pid" && break
    done
    tail -n 15 "$state/$name.log" >&2
    say "dockerd does not answer on $socket; see $state/$name.log"
    return 1
}

# The directories, the bridge and the subnet of an engine beside the machine's own. Names of interfaces have 15 characters.
place_of() { echo "/run/$instance-$1"; }
data_of() { echo "/var/lib/$instance-$1"; }
bridge_of() { echo "${instance:0:10}-${1:0:4}"; }
address_of() { # NAME
    local second=30
    [ "$1" = own ] || second=31
    echo "172.$second.$(($(cksum <<<"$instance" | cut -d ' ' -f 1) % 254 + 1)).1/24"
}

# An engine beside the machine's own, which it leaves alone: own data, socket, bridge, containerd, no firewall rules of
# its own. `--bridge none` would delete the other engine's docker0.
start_engine_beside() { # NAME CONTAINERD-SNAPSHOTTER ARGUMENT...
    local name=$1 snapshotter=$2 place data bridge
    shift 2
    place=$(place_of "$name") data=$(data_of "$name") bridge=$(bridge_of "$name")
    as_root mkdir -p "$place" "$data"
    echo "{\"features\":{\"containerd-snapshotter\":$snapshotter}}" | as_root tee "$place/daemon.json" >/dev/null
    if ! ip link show "$bridge" >/dev/null 2>&1; then
        as_root ip link add "$bridge" type bridge
        as_root ip address add "$(address_of "$name")" dev "$bridge"
        as_root ip link set "$bridge" up
    fi
    start_engine "$name" "$place/docker.sock" --host "unix://$place/docker.sock" --config-file "$place/daemon.json" \
        --data-root "$data" --exec-root "$place/exec" --pidfile "$place/dockerd.pid" \
        --containerd-namespace "$instance-$name" --containerd-plugins-namespace "$instance-$name-plugins" \
        --bridge "$bridge" --iptables=false --ip6tables=false "$@"
}

# Lets containers on the bridge of an engine without firewall rules reach the network, or no longer.
masquerade() { # add|remove NAME
    local bridge address rule
    bridge=$(bridge_of "$2") address=$(address_of "$2")
    while read -r table chain rule; do
        # shellcheck disable=SC2086 # a rule is words
        if [ "$1" = remove ]; then
            as_root iptables --wait --table "$table" --delete "$chain" $rule 2>/dev/null || true
        else
            as_root iptables --wait --table "$table" --check "$chain" $rule 2>/dev/null ||
                as_root iptables --wait --table "$table" --insert "$chain" $rule
        fi
    done <<RULES
nat POSTROUTING --source $address ! --out-interface $bridge --jump MASQUERADE
filter FORWARD --in-interface $bridge --jump ACCEPT
filter FORWARD --out-interface $bridge --match conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT
RULES
}

# Stops what `start_engine` started, if it runs.
stop_engine() { # NAME
    local pidfile=$state/$1.pid pid
    if is_our_engine "$pidfile"; then
        pid=$(cat "$pidfile")
        as_root kill "$pid"
        for _ in $(seq 1 80); do
            [ -d "/proc/$pid" ] || break
            sleep 0.25
        done
        [ ! -d "/proc/$pid" ] || { say "$1 ($pid) does not stop; see $state/$1.log"; return 1; }
        say "stopped $1 ($pid)"
    else
        say "$1: not started by these scripts, or no longer running"
    fi
    as_root rm -f "$pidfile"
}
