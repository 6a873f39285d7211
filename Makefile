# Two commands matter: `make demo` shows the whole system at work, `make test` proves it. `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help install demo up test check bench
BIN := .venv/bin

help:
	@echo "make demo    install, start the whole system, handle some twenty complaints before your eyes"
	@echo "make up      install, start the whole system and stay (Ctrl-C stops it)"
	@echo "make test    install, run every test"
	@echo "make check   install, check style, types, import directions and house rules"
	@echo "make bench   install, measure"

install:
	@sh deployments/install.sh

demo: install
	@exec $(BIN)/complaints demo

up: install
	@exec $(BIN)/complaints up

test: install
	@sh deployments/install.sh browser
	@$(BIN)/pytest -n 2

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/house

bench: install
	@$(BIN)/python -m bench
