# Builds the action: one static program and buildx, on nothing. It must build with BuildKit and with the engine's
# older builder (act uses that one), therefore no `RUN --mount` and no `COPY --link`.
ARG RUST_IMAGE=docker.io/library/rust:1.95-slim-trixie
ARG BUILDX_IMAGE=docker.io/docker/buildx-bin:0.29.1

FROM ${BUILDX_IMAGE} AS buildx

FROM ${RUST_IMAGE} AS build
WORKDIR /build
ENV RUSTFLAGS="-C target-feature=+crt-static"

# The dependencies alone: this layer stays until Cargo.toml or Cargo.lock changes. Cargo wants a file for every target
# that a manifest names, tests and benches too; empty ones do.
COPY Cargo.toml Cargo.lock ./
COPY ghcr-double/Cargo.toml ghcr-double/
RUN for package in . ghcr-double; do \
        mkdir -p "$package/src" "$package/tests" "$package/benches" "$package/examples"; \
        for name in $(sed -n 's/^name = "\(.*\)"$/\1/p' "$package/Cargo.toml"); do \
            touch "$package/tests/$name.rs" "$package/benches/$name.rs" "$package/examples/$name.rs"; \
        done; \
        touch "$package/src/lib.rs"; \
        echo 'fn main() {}' >"$package/src/main.rs"; \
    done \
    && host="$(rustc -vV | sed -n 's/^host: //p')" \
    && cargo build --release --locked --bin ghcr-publish --target "$host"

# The explicit target keeps the static flag away from procedural macros. Cargo compares times, so the sources become new.
COPY src src
RUN find src -name '*.rs' -exec touch {} + \
    && host="$(rustc -vV | sed -n 's/^host: //p')" \
    && cargo build --release --locked --bin ghcr-publish --target "$host" \
    && mkdir -p /image/tmp /image/etc/ssl/certs \
    && chmod 1777 /image/tmp \
    && cp "target/$host/release/ghcr-publish" /image/ \
    && ln -s ghcr-publish /image/ghcr-publish-post \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
LABEL org.opencontainers.image.title="ghcr-publish" \
      org.opencontainers.image.description="Publish a container image from GitHub in one step: tags, login, build, push, proof" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=buildx /buildx /usr/bin/buildx
COPY --from=build /image/ /
ENV PATH=/usr/bin
ENTRYPOINT ["/ghcr-publish"]
