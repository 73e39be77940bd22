# Everything happens in .venv, which the targets make themselves: `make demo` and `make test` are
# all that a newcomer needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: demo test soak check format bench bench-signals clean

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(INSTALLED)  ## Replay real flights through a model and watch Tocsin find a fault.
	$(BIN)/tocsin demo $(DEMO_ARGS)

test: $(INSTALLED)  ## The whole suite: units, laws, oracles, crashes, real servers, a real browser.
	CHROMIUM="$(CHROMIUM)" $(BIN)/python -m pytest -n 2 --dist loadfile $(TEST_ARGS)

soak: $(INSTALLED)  ## What takes too long for every change: hundreds of kills, a million rows on Spark and here.
	CHROMIUM="$(CHROMIUM)" $(BIN)/python -m pytest -m soak $(TEST_ARGS)

check: $(INSTALLED)  ## Format, lint, types, layers.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)  ## Mend what can be mended by itself.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)  ## Speed against other monitors and against bare reading, as ratios of one run.
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-signals: $(INSTALLED)  ## How well estimates and alarms are known to work, on real data of packages.
	$(BIN)/python -m benchmarks.signals $(BENCH_ARGS)

clean:  ## Remove what the other targets made.
	rm -rf $(VENV) .bench build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
