# An index of what there is to do. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
CARGO ?= cargo

# Random tests draw the same values in every run; another seed looks elsewhere: make test PROPTEST_RNG_SEED=2
export PROPTEST_RNG_SEED ?= 1

# One runner for all tests: nextest where it is installed, the one that comes with cargo otherwise.
RUN_TESTS := $(if $(shell command -v cargo-nextest),$(CARGO) nextest run,$(CARGO) test)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what the tests need beyond cargo
	@tests/setup

.PHONY: build
build: ## Build everything for development
	$(CARGO) build --locked --workspace

.PHONY: dev
dev: ## Run the whole system in one process, with a tour
	$(CARGO) run --locked --release --bin otter -- dev

.PHONY: check
check: ## Check format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

.PHONY: test
test: setup ## Run every test
	$(CARGO) build --locked --bin otter
	$(RUN_TESTS) --locked --workspace

.PHONY: chaos
chaos: setup ## Run every fault at full size, hours in all; smaller, some, other draws: make chaos CODES=2000 ONLY=redis:: SEED=2
	$(CARGO) build --locked --profile load --bin otter
	OTTER_CHAOS_CODES=$(or $(CODES),20000) OTTER_CHAOS_SEED=$(or $(SEED),1) \
		$(CARGO) test --locked --profile load -p otter-tests --test chaos -- --test-threads=1 --nocapture $(ONLY)
	@echo "Every run that the ledger judges adds a line to target/chaos/report.jsonl."

.PHONY: model
model: ## Hold delivery against its model in 200000 random runs; more: make model SEEDS=1000000 SEED=200001
	OTTER_MODEL_SEEDS=$(or $(SEEDS),200000) OTTER_MODEL_SEED=$(or $(SEED),1) \
		$(CARGO) test --locked --profile load -p otter-delivery --test model

.PHONY: growth
growth: setup ## See that nothing grows over a million codes in Redis and in a directory; fewer: make growth CODES=100000
	OTTER_CHAOS_CODES=$(or $(CODES),1000000) $(CARGO) test --locked --profile load \
		-p otter-store-redis --test redis -- --nocapture retention::
	OTTER_CHAOS_CODES=$(or $(CODES),1000000) $(CARGO) test --locked --profile load \
		-p otter-store-embedded --test growth -- --nocapture

.PHONY: docs
docs: ## Render again the pages that tests hold to the code
	UPDATE_GOLDEN=1 $(CARGO) test --locked -p otter-tests --test golden
	UPDATE_GOLDEN=1 $(CARGO) test --locked -p otter-decision -p otter-message
