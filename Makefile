# Every target is one script or one cargo line; what it needs first, it installs or asks for.
# `make` alone prints the list below, made from the captions after `##`.

.DEFAULT_GOAL := help
.PHONY: help run test build web fmt lint house sim fuzz e2e bench bench-ingest bench-growth soak clean

# rustup's directory comes last, so that a toolchain the person chose keeps its place.
export PATH := $(PATH):$(HOME)/.cargo/bin

help: ## print this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

run: ## build what has changed and start the demo: server, staged phones, a replayed night
	@scripts/run

test: ## install what the tests need (PostgreSQL, Chromium, npm packages) and run everything
	@scripts/test

build: web ## build the binary (target/debug/reveille)
	cargo build

web: ## build the front end (web/dist) if its sources changed
	@scripts/toolchain
	@scripts/web

fmt: ## format the Rust sources
	cargo fmt -- src/sources/*.rs docs/example/*.rs

lint: ## check the format, the lints and the licences, the scripts and the Dockerfile
	@scripts/lint

house: web ## check the floor plan: which room imports which
	cargo test --test house

sim: web ## run the seeded simulation of the decisions
	cargo test --test sim -- --nocapture

fuzz: ## a minute of coverage-guided input for every parser and escaper
	@scripts/fuzz

e2e: ## run the stories in a browser
	@scripts/toolchain
	@scripts/e2e

bench: ## measure a release build as a whole process
	@scripts/bench

bench-ingest: ## measure it beside Prometheus Alertmanager, on SQLite and PostgreSQL: a table of ratios
	@scripts/measure bench

bench-growth: ## measure it with 10,000, 100,000 and 1,000,000 alerts in its store: a table, and docs/growth.svg
	@scripts/measure growth --plot docs/growth.svg

soak: ## keep it busy for half an hour, and see that memory, files and disk come to rest
	@scripts/measure soak

clean: ## remove everything that was built or installed here; data in var/ stays
	@scripts/postgres stop
	cargo clean
	rm -rf web/dist web/node_modules tests/e2e/node_modules tests/e2e/results
