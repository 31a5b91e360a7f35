# One way to set up, one way to test, one way to look. Only `setup` uses the network, and only when something changed.
BIN := .venv/bin
SETUP := sh .ci/setup
LOCKS := pyproject.toml requirements.txt
FAULT_PROGRAMS := strace:strace fiu-ctrl:fiu-utils stress-ng:stress-ng busybox:busybox
MACHINE_PROGRAMS := mmdebstrap:mmdebstrap systemd-nspawn:systemd-container ip:iproute2 iptables:iptables ping:iputils-ping mkfs.ext4:e2fsprogs

.DEFAULT_GOAL := help
.PHONY: help setup setup-run demo test machines check screenshots bench soak

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: setup-run .venv/.dev ## Make .venv with everything pinned and hashed (each target below does it by itself)

setup-run: .venv/.run
	@$(SETUP) programs ssh-keygen:openssh-client

.venv/.run: $(LOCKS) .ci/setup
	@$(SETUP) python requirements.txt
	@touch $@

.venv/.dev: .venv/.run requirements-dev.txt
	@$(SETUP) python requirements-dev.txt
	@touch $@

demo: setup-run ## Three practice nodes up, the console on them, everything down again
	@$(BIN)/gameday demo

test: setup ## All tests, with the labs for real (as root on Linux also the systemd lab)
	@[ "$$(uname)/$$(id -u)" != Linux/0 ] || $(MAKE) -s machines
	@[ "$$(uname)" != Linux ] || $(SETUP) programs $(FAULT_PROGRAMS)
	@$(BIN)/python -m compileall -q console
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 6 --dist loadgroup --no-loadscope-reorder $(PYTEST_ARGS) # hundreds of consoles are started

# What the systemd lab's machines need, and their image, so that no test waits for it.
machines: setup-run
	@$(SETUP) programs $(MACHINE_PROGRAMS) $(FAULT_PROGRAMS)
	@[ "$$(cat /proc/sys/fs/inotify/max_user_instances)" -ge 1024 ] || sysctl -qw fs.inotify.max_user_instances=1024 # 7 a machine
	@$(BIN)/python -m console.lab.systemd.image

check: setup ## Format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict console tests
	$(BIN)/lint-imports

screenshots: setup ## Make screenshots/ from real lab runs
	@$(SETUP) programs rsvg-convert:librsvg2-bin
	@$(SETUP) font FiraCode fonts-firacode
	@$(BIN)/python -m tests.screenshots

bench: setup ## Print the speed targets as ratios
	@[ "$$(uname)" != Linux ] || $(SETUP) programs fiu-ctrl:fiu-utils
	@$(BIN)/python -m tests.bench

soak: setup ## Interrupt runs in each phase, and as root each fault on machines, again and again (SOAK_ARGS=...)
	@[ "$$(uname)/$$(id -u)" != Linux/0 ] || $(MAKE) -s machines
	@$(BIN)/python -m tests.soak $(SOAK_ARGS)
