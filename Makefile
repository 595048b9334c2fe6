# Run `make` for what there is. Everything lives in .venv and in .fractal; nothing is installed system-wide.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Compiled here, once: where Python may not write bytecode itself, every start would compile everything again.
PIP_INSTALL = $(BIN)/uv pip install --quiet --compile-bytecode
CLIENT := .venv-client
DEMO := .venv-demo
OIDC := .venv-oidc
PACKAGES := libs/common services/auth services/jobs services/runner-agent services/standalone

.DEFAULT_GOAL := help
.PHONY: help install lint types test test-compose test-slurm chaos differential record-messages lock clean

help:  ## Show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## Make the virtual environment and install everything, with hashes

$(VENV)/.installed: requirements.txt requirements-embedded.txt requirements-dev.txt $(PACKAGES:%=%/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	grep -A40 '^uv==' requirements.txt | awk 'NR==1 || /^ /{print; next} {exit}' > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r $(VENV)/uv.txt
	$(PIP_INSTALL) --python $(BIN)/python --require-hashes \
		-r requirements.txt -r requirements-embedded.txt -r requirements-dev.txt
	$(PIP_INSTALL) --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=-e %)
	$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

lint: install  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install  ## Types, strictly
	$(BIN)/basedpyright --level error

test: install $(CLIENT)/.installed $(OIDC)/.installed  ## All tests (real Postgres and NATS, started from wheels)
	$(BIN)/python -m pytest -n 3 --dist loadfile $(PYTEST_OPTIONS)

test-compose: install  ## Tests of the compose project (needs a Docker engine)
	@docker info > /dev/null 2>&1 || { echo "make test-compose needs a running Docker engine"; exit 1; }
	$(BIN)/python -m pytest tests/compose/test_compose.py

test-slurm: install  ## Tests on a real SLURM cluster, which they install and start (Debian; needs root)
	@[ "$$(id -u)" = 0 ] || { echo "make test-slurm needs root: it installs SLURM, starts its daemons and acts as several users"; exit 1; }
	$(BIN)/python -m pytest tests/slurm $(PYTEST_OPTIONS)

chaos: install  ## Two hundred random faults (CHAOS_SEEDS=17:17 replays one)
	CHAOS_SEEDS=$${CHAOS_SEEDS:-1:200} $(BIN)/python -m pytest tests/resilience/test_chaos.py

record-messages: install  ## Write down the messages' fields, which later releases must keep
	$(BIN)/python -m tests.unit.messages.record

REFERENCE_PYTHON ?= python3.12

differential: install  ## The public fractal-server beside ours: same requests, differences and times (not part of test)
	$(BIN)/python -m tests.differential --python $(REFERENCE_PYTHON) --speed

lock: install  ## Pin the requirements again, with hashes and without index addresses
	for name in requirements requirements-embedded requirements-dev requirements-client requirements-oidc; do \
		$(BIN)/uv pip compile $$name.in -o $$name.txt --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" --quiet; \
	done

clean:  ## Remove the virtual environment
	rm -rf $(VENV)

URL ?=
FRACTAL_HOME ?= .fractal
COMPOSE := deploy/compose

$(CLIENT)/.installed: requirements-client.txt $(VENV)/.installed
	$(PYTHON) -m venv $(CLIENT)
	$(PIP_INSTALL) --python $(CLIENT)/bin/python --require-hashes -r requirements-client.txt
	@touch $@

$(OIDC)/.installed: requirements-oidc.txt $(VENV)/.installed
	$(PYTHON) -m venv $(OIDC)
	$(BIN)/uv pip install --quiet --python $(OIDC)/bin/python --require-hashes -r requirements-oidc.txt
	@touch $@

$(DEMO)/.installed: examples/demo/requirements.txt $(VENV)/.installed
	$(PYTHON) -m venv $(DEMO)
	$(PIP_INSTALL) --python $(DEMO)/bin/python --require-hashes -r examples/demo/requirements.txt
	@touch $@

.PHONY: demo up down status

up: install  ## Start the embedded stack in the background; prints its URL
	$(BIN)/python -m fractal_server.embedded up

down: install  ## Stop the embedded stack, whole
	$(BIN)/python -m fractal_server.embedded down

status: install  ## What of the embedded stack runs
	$(BIN)/python -m fractal_server.embedded status

# A server that is not ours to start: by default the one of compose-up, with its administrator and its folder.
ADMIN_PASSWORD_FILE := $(or $(FRACTAL_ADMIN_PASSWORD_FILE),$(if $(URL),$(COMPOSE)/.admin-password,$(FRACTAL_HOME)/secrets/admin_password))
DATA ?= $(if $(URL),$(CURDIR)/$(COMPOSE)/data)

demo: install $(CLIENT)/.installed $(DEMO)/.installed  ## A real workflow on real images (URL=… for a running server)
	$(if $(URL),test -f $(ADMIN_PASSWORD_FILE) || $(MAKE) --no-print-directory compose-password,$(BIN)/python -m fractal_server.embedded up)
	FRACTAL_ADMIN_PASSWORD_FILE=$(ADMIN_PASSWORD_FILE) $(BIN)/python examples/demo/demo.py \
		--url $${URL:-$$($(BIN)/python -m fractal_server.embedded url)} \
		--client $(CLIENT)/bin/fractal --python $(DEMO)/bin/python --output demo-output \
		$(if $(DATA),--data $(DATA))

# Files on the shared folder belong to whoever starts the stack; as root, to the ordinary account 1000.
COMPOSE_ACCOUNT := $(if $(filter-out 0,$(shell id -u)),FRACTAL_UID=$(shell id -u) FRACTAL_GID=$(shell id -g))

.PHONY: deploy compose-up compose-down compose-password

deploy: compose-up  ## Start or upgrade the whole server in containers

compose-up:  ## Start all services in containers (docker compose)
	cd $(COMPOSE) && $(COMPOSE_ACCOUNT) docker compose up --build --detach --wait
	@$(MAKE) --no-print-directory compose-password
	@echo "Fractal Server   http://127.0.0.1:$${FRACTAL_PORT:-8000}"
	@echo "administrator    admin@example.org, password in $(COMPOSE)/.admin-password"

compose-down:  ## Stop the containers; data and volumes stay
	cd $(COMPOSE) && docker compose down

compose-password:
	@umask 077 && cd $(COMPOSE) && docker compose exec -T jobs-api cat /run/secrets/FRACTAL_ADMIN_PASSWORD > .admin-password
