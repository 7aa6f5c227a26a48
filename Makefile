# The commands of a contributor. Each target installs what it needs (Debian, Ubuntu) or lists what is missing.
.PHONY: demo test faults proof check advisories reproducible bench fuzz

demo: ## publish examples/hello to a registry that behaves like ghcr.io
	@testbed/engine
	cargo build --quiet --workspace
	@testbed/demo target/debug

test: ## every test, including those with the real engine, a real registry and act
	@testbed/up
	cargo test --workspace --features real-engine

faults: ## every kind of fault at every point of the protocol, as tables
	cargo test --quiet --lib -- publish::faults sigstore::tests::faults github::attestations::tests::outages --nocapture

proof: ## the tests with thousands of hostile inputs, as a table (`PROPTEST_CASES=256 make proof` for fewer)
	@testbed/up
	@testbed/proof --features real-engine

check: ## formatting, lints, licenses, workflows, YAML blocks of the documentation, scripts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features real-engine,fuzzing -- --deny warnings
	@cargo deny --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-deny@0.20.2
	cargo deny --locked check bans licenses sources
	@testbed/lint-workflows

advisories: ## known vulnerabilities of the dependencies (needs the network)
	@cargo deny --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-deny@0.20.2
	cargo deny check advisories

reproducible: ## build the image of the action twice, in two directories, and compare the digests
	@testbed/engine
	@testbed/images
	@testbed/reproducible

bench: ## measures the cost of a run into docs/measured.md, on a quiet machine (`PEERS=`, `IMAGE=`, `ROUNDS=`, `ROWS=`: see there)
	@testbed/engine >&2
	@PEERS='$(PEERS)' IMAGE='$(IMAGE)' ROUNDS='$(ROUNDS)' cargo bench --quiet --package ghcr-publish --bench table -- $(ROWS)

fuzz: ## each fuzz target for one minute (`make fuzz SECONDS=10` for less)
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	@fuzz/seeds
	@for target in $$(cargo +nightly fuzz list); do \
		cargo +nightly fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/corpus/seeds-$$target -- -dict=fuzz/rules.dict -max_total_time=$(or $(SECONDS),60) || exit 1; done
