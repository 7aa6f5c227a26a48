# Builds the image of the action: one static program and buildx, without a base image. It must build with BuildKit and with the engine's
# older builder (act uses that one), therefore no `RUN --mount` and no `COPY --link`.
#
# The same sources, bases and SOURCE_DATE_EPOCH give the same image, bit for bit: `make reproducible` builds it twice.
ARG RUST_IMAGE=docker.io/library/rust:1.95-slim-trixie
ARG BUILDX_IMAGE=docker.io/docker/buildx-bin:0.38.2
# Where the compiler runs: on the machine itself, never emulated. `linux` alone is what the older builder understands.
ARG COMPILE_ON=${BUILDPLATFORM:-linux}

FROM ${BUILDX_IMAGE} AS buildx

FROM --platform=${COMPILE_ON} ${RUST_IMAGE} AS build
# Keeps the list of crates in the program, where `cargo audit bin` and image scanners read it.
RUN cargo install --quiet --locked cargo-auditable@0.7.7

# Compiles for the architecture of the compiler, or for another one with its cross-linker.
ARG TARGETARCH
RUN own="$(rustc -vV | sed -n 's/^host: \([^-]*\)-.*/\1/p')" \
    && case "$TARGETARCH" in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; *) machine="$own" ;; esac \
    && echo "$machine-unknown-linux-gnu" >/target \
    && ln -s "$(rustc --print sysroot)/lib/rustlib/$own-unknown-linux-gnu/bin/gcc-ld" /lld \
    && if [ "$machine" != "$own" ]; then \
        apt-get update -qq \
        && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            "gcc-$(echo "$machine" | tr _ -)-linux-gnu" "libc6-dev-$TARGETARCH-cross" >/dev/null \
        && if command -v rustup >/dev/null; then rustup --quiet target add "$(cat /target)"; fi; \
    fi

# The program contains no path of the build machine, needs no library, its relocations are packed, and its functions are in the
# order that compresses best: 4 % less to download. The linker that comes with Rust can do that for both processors.
ARG DIRECTORY=/build
WORKDIR ${DIRECTORY}
ENV RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs -C link-arg=-B/lld -C link-arg=-fuse-ld=lld -C link-arg=-Wl,--bp-compression-sort=both --remap-path-prefix=/usr/local/cargo/registry/src=crates --remap-path-prefix=${DIRECTORY}=." \
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc

# The dependencies alone: this layer stays until Cargo.toml or Cargo.lock changes. Cargo wants a file for every target
# that a manifest names, tests and benches too; empty ones do.
COPY Cargo.toml Cargo.lock ./
COPY ghcr-double/Cargo.toml ghcr-double/
COPY testkit/Cargo.toml testkit/
RUN for package in . ghcr-double testkit; do \
        mkdir -p "$package/src" "$package/tests" "$package/benches" "$package/examples"; \
        for name in $(sed -n 's/^name = "\(.*\)"$/\1/p' "$package/Cargo.toml"); do \
            touch "$package/tests/$name.rs" "$package/benches/$name.rs" "$package/examples/$name.rs"; \
        done; \
        touch "$package/src/lib.rs"; \
        echo 'fn main() {}' >"$package/src/main.rs"; \
    done \
    && cargo auditable build --release --locked --bin ghcr-publish --target "$(cat /target)"

# The explicit target keeps the static flag away from procedural macros. Cargo compares timestamps, so the sources get new ones.
COPY src src
RUN find src -name '*.rs' -exec touch {} + \
    && cargo auditable build --release --locked --bin ghcr-publish --target "$(cat /target)" \
    && mkdir -p /image/own/tmp /image/own/var/tmp \
    && chmod 1777 /image/own/tmp /image/own/var/tmp \
    && cp "target/$(cat /target)/release/ghcr-publish" /image/own/ \
    && ln -s ghcr-publish /image/own/ghcr-publish-post

# Both layers are directories with the same fixed timestamp: a copy from the cache would keep the time at which it was made.
# The first one changes with buildx and with the certificates, the other one with each release.
COPY --from=buildx /buildx /image/base/usr/bin/buildx
RUN mkdir -p /image/base/etc/ssl/certs && cp /etc/ssl/certs/ca-certificates.crt /image/base/etc/ssl/certs/
RUN find /image -exec touch --no-dereference --date @0 {} +

FROM scratch
LABEL org.opencontainers.image.title="ghcr-publish" \
      org.opencontainers.image.description="Build, push and verify a container image in one step: tags, login, build, push, digest check" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/base/ /
COPY --from=build /image/own/ /
ENV PATH=/usr/bin GHCR_PUBLISH_IMAGE=true
ENTRYPOINT ["/ghcr-publish"]
