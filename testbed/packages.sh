# System packages and where they come from (Debian, Ubuntu); sourced, never run.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Several scripts, and several runs on one machine, may want packages at the same time.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# The log of a command that failed, and its status.
shown_on_failure() { # LOG COMMAND...
    local log=$1 status=0
    shift
    "$@" >"$log" 2>&1 || status=$?
    [ "$status" = 0 ] || { tail -n 5 "$log" >&2; say "\`$*\` failed with status $status; see $log"; }
    return "$status"
}

apt_update() {
    (flock 8 && shown_on_failure "$cache/apt-update.log" apt_get update) 8>"$cache/apt.lock"
}

# Some packages start a service when they are installed; these here must not.
apt_install() { # PACKAGE...
    (
        flock 8
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
            as_root chmod 0755 "$policy"
            trap 'as_root rm -f "$policy"' EXIT
        fi
        shown_on_failure "$cache/apt.log" apt_get install -y --no-install-recommends "$@"
    ) 8>"$cache/apt.lock"
}

# The version of a package that the system's own sources offer. Ours of `sid` has priority 40, backports have 100.
offered() { # PACKAGE
    apt-cache policy "$1" | awk '
        /^ \*\*\* / { version = $2 }
        /^     [^ ]/ { version = $1 }
        /^ +[0-9]+ [^ ]+:[^ ]/ && $1 > 100 && !found { found = version }
        END { if (!found) exit 1; print found }'
}

# The same, after a look at the sources when the lists of this machine do not know the package.
offered_now() { # PACKAGE
    offered "$1" || { apt_update && offered "$1"; }
}

# Every enabled source of binary packages as a line `URI SUITE COMPONENTS SIGNED-BY`, in both formats of sources.
# https://manpages.debian.org/sources.list
apt_sources() { # DIRECTORY-OF-APT
    local directory=$1 files
    files=$(find "$directory/sources.list.d" "$directory/sources.list" -maxdepth 1 -type f \
        \( -name '*.sources' -o -name '*.list' \) 2>/dev/null | sort) || true
    [ -n "$files" ] || return 0
    while read -r file; do awk -f "$testbed/apt-sources.awk" "$file"; done <<<"$files"
}

# Debian's main archive among them as `URI SIGNED-BY`, or nothing. Third parties use Debian's names of suites too, so a
# place that is called `debian` comes first; a machine's own mirror may have any name.
debian_archive() { # DIRECTORY-OF-APT
    apt_sources "$1" | awk '
        $2 !~ /^(bookworm|trixie|forky|duke|sid|oldstable|stable|testing|unstable)$/ || $3 !~ /(^|,)main(,|$)/ { next }
        $1 !~ /^(https?|ftp|file|copy):/ { next }
        $1 ~ /\/debian\/?$/ && !best { best = $1 " " $4 }
        !any { any = $1 " " $4 }
        END { if (best) print best; else if (any) print any }'
}

# The mirror of the machine's own Debian packages, or nothing on another system.
debian_mirror() { # DIRECTORY-OF-APT
    debian_archive "$1" | cut -d ' ' -f 1
}

# Debian's `sid` as a source, from the machine's own mirror and with its key; fails where there is none.
sid_source() { # DIRECTORY-OF-APT
    local uri key
    read -r uri key < <(debian_archive "$1") || return 1
    printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\n' "$uri"
    [ "$key" = - ] || printf 'Signed-By: %s\n' "$key"
}

# Makes `sid` known with a priority below everything installed.
add_sid() {
    local target=/etc/apt/sources.list.d/testbed-sid.sources
    [ ! -e "$target" ] || return 0
    sid_source /etc/apt >"$cache/sid" || { say "/etc/apt has no source of Debian packages to derive the one of sid from"; return 1; }
    printf 'Package: *\nPin: release n=sid\nPin-Priority: 40\n' | as_root tee /etc/apt/preferences.d/testbed-sid >/dev/null
    as_root install -m 0644 "$cache/sid" "$target"
    apt_update
}

# A minimal Debian as a tar file, made once; from the machine's own mirror.
debian_root() ( # SUITE TARBALL [ADDITIONAL-PACKAGE]...
    suite=$1 tarball=$2
    shift 2
    [ ! -s "$tarball" ] || exit 0
    command -v dpkg >/dev/null || die "a Debian root directory needs debootstrap, on Debian or Ubuntu"
    can_be_root || die "debootstrap needs root or a password-less sudo"
    [ -x /usr/sbin/debootstrap ] || { apt_update && apt_install debootstrap debian-archive-keyring; }
    scratch=$(mktemp -d)
    trap 'as_root rm -rf "$scratch"' EXIT
    mirror=$(debian_mirror /etc/apt)
    packages=$(IFS=,; echo "$*")
    shown_on_failure "$cache/debootstrap-$suite.log" as_root /usr/sbin/debootstrap --variant=minbase \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg ${packages:+"--include=$packages"} \
        "$suite" "$scratch/root" ${mirror:+"$mirror"}
    as_root rm -rf "$scratch"/root/var/cache/apt/archives/*.deb
    as_root tar -C "$scratch/root" --one-file-system --exclude './dev/*' -cf - . >"$tarball.new"
    mv "$tarball.new" "$tarball"
)
