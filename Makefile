# `make help` lists everything. A recipe is a file in recipes/; its target is its
# name with dashes: recipes/imdb_gru.py -> make imdb-gru.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TEST_READY := $(VENV)/.ready-test
RECIPES := $(subst _,-,$(filter-out _%,$(notdir $(basename $(wildcard recipes/[a-z]*.py)))))

.DEFAULT_GOAL := help
.PHONY: help setup test kernels bands update-stored lint compare report runs equivalence gradient-flow memory-horizon reference reference-tables bench bench-load bench-epochs bench-weather bench-seasons clean $(RECIPES)

help: ## this list
	@$(PYTHON) -m shared.help

setup: $(READY) ## make .venv and install what recipes need (every target does it)

$(RECIPES): $(READY)
	@$(BIN)/python recipes/$(subst -,_,$@).py $(ARGS)

compare: $(READY) ## which is better, and how sure is that: RUNS="imdb-gru imdb-lstm" (none: all)
	@$(BIN)/python -m shared.compare $(RUNS) $(ARGS)

report: $(READY) ## one HTML page of all runs, opens offline; ARGS=--watch follows what trains
	@$(BIN)/python -m shared.report $(ARGS)

runs: $(READY) ## list saved runs, filter them, remove them after a yes: ARGS=--help
	@$(BIN)/python -m shared.manage_runs $(RUNS) $(ARGS)

equivalence: $(READY) ## one set of weights, every way to compute it: NumPy, Keras, XLA, PyTorch, ...
	@$(BIN)/python -m shared.equivalence $(ARGS)

gradient-flow: $(READY) ## how much gradient reaches each step, first weights and trained: RUNS="imdb-gru imdb-lstm"
	@$(BIN)/python -m shared.gradient_flow $(RUNS) $(ARGS)

memory-horizon: $(READY) ## longest lag each cell remembers (3 minutes); ARGS=--full: six lags, three seeds, variants
	@$(BIN)/python -m shared.horizon $(ARGS)

reference: $(READY) ## every recipe on real data, five seeds, all cores (many hours; goes on where it stopped)
	@$(BIN)/python -m shared.reference $(ARGS)

reference-tables: $(READY) ## write results/README.md and CLAIMS.md anew from what is published
	@$(BIN)/python -m shared.reference --tables-only

test: $(TEST_READY) ## run the tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

kernels: $(READY) ## what a recipe's recurrent layer runs on, flag by flag: RECIPE=imdb-gru
	@test -f recipes/$(subst -,_,$(RECIPE)).py || \
	  { echo "error: RECIPE=$(RECIPE): no such recipe; make help lists them: make kernels RECIPE=imdb-gru" >&2; exit 2; }
	@$(BIN)/python recipes/$(subst -,_,$(RECIPE)).py --kernels $(ARGS)

bands: $(TEST_READY) ## hold the generated tasks against the best possible, five seeds (minutes)
	RNN_RECIPES_BANDS=1 $(BIN)/python -m pytest tests/test_bands.py $(ARGS)

update-stored: $(TEST_READY) ## write the losses that the tests compare with anew (moves numbers)
	$(BIN)/python -m pytest tests -k losses_are_those_stored --update-stored

lint: $(TEST_READY) ## check style
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: $(READY) ## how fast the recipes train, technique by technique, beside others (an hour)
	@$(BIN)/python benchmarks/speed.py $(ARGS)

bench-load: $(READY) ## time and memory of loading the reviews, beside Keras' own loader
	@$(BIN)/python benchmarks/load_imdb.py $(ARGS)

bench-epochs: $(READY) ## seconds per epoch of every IMDB recipe on the real reviews, in turn
	@$(BIN)/python benchmarks/epoch_seconds.py $(ARGS)

bench-weather: $(READY) ## time and memory of weather-gru on one year of weather and on ten
	@$(BIN)/python benchmarks/weather_rows.py $(ARGS)

bench-seasons: $(READY) ## weather-best in seasons it was not trained on: ARGS='"" "--reads target"'
	@$(BIN)/python benchmarks/seasons.py $(ARGS)

clean: ## remove .venv; results stay
	rm -rf $(VENV)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "Setting up $(VENV) (once; a minute or two)"
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "error: $(PYTHON) cannot make a virtual environment (on Debian: apt install python3-venv)" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(TEST_READY): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@
