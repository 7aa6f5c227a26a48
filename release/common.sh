# What the scripts of this directory share; sourced, never run.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../testbed/failures.sh"
usage() { die "usage: release/$(basename "$0") $*"; }

digest_pattern='sha256:[0-9a-f]{64}'
version_pattern='v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?'

is_version() { [[ $1 =~ ^$version_pattern$ ]] || die "'$1' is not a version such as v1.2.3"; }
is_digest() { [[ $1 =~ ^$digest_pattern$ ]] || die "'$1' is not a digest"; }

# The manifest itself, as the registry has it.
manifest() { # REFERENCE
    docker buildx imagetools inspect --raw "$1"
}

# The digest that a reference has: computed from the bytes, never believed.
digest_of() { # REFERENCE
    manifest "$1" | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'
}

# A line `NAME DIGEST` for each manifest of an index: `linux-amd64`, and `linux-amd64-attestation` for what is about it.
children() { # REFERENCE
    manifest "$1" | jq -r '
        (.manifests // error("an image without platforms")) as $all
        | def name: [.platform.os, .platform.architecture, .platform.variant] | map(select(. != null)) | join("-");
        $all[]
        | (.annotations["vnd.docker.reference.digest"] // null) as $about
        | if $about then "\($all[] | select(.digest == $about) | name)-attestation \(.digest)" else "\(name) \(.digest)" end'
}
