# `make help` lists everything. A recipe is a file in recipes/. Its target is its name
# with dashes: recipes/imdb_gru.py -> make imdb-gru.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TEST_READY := $(VENV)/.ready-test
RECIPES := $(subst _,-,$(filter-out _%,$(notdir $(basename $(wildcard recipes/[a-z]*.py)))))

.DEFAULT_GOAL := help
export TEXT
.PHONY: help setup test test-slow torture kernels bands update-stored lint compare report runs predict generate export equivalence gradient-flow memory-horizon backtest reference reference-tables new-recipe recipe-table clean-caches bench bench-layers bench-load bench-epochs bench-weather bench-seasons bench-determinism bench-export bench-try bench-first-contact bench-runs lessons explain try bench-reviews sweep bench-texts clean $(RECIPES) $(subst -,_,$(RECIPES))

help: ## show this list
	@$(PYTHON) -m shared.commands.help

setup: $(READY) ## make .venv and install the packages (other targets do it when needed)

$(RECIPES): $(READY)
	@$(BIN)/python recipes/$(subst -,_,$@).py $(ARGS)

# make imdb_gru is make imdb-gru.
$(subst -,_,$(RECIPES)):
	@$(MAKE) --no-print-directory $(subst _,-,$@)

# A target that does not exist.
.DEFAULT:
	@$(PYTHON) -m shared.commands.help '$@'

compare: $(READY) ## show which recipe is better, and how sure that is: RUNS="imdb-gru imdb-lstm" (default: all)
	@$(BIN)/python -m shared.compare $(RUNS) $(ARGS)

report: $(READY) ## write one HTML page of all runs, for offline use; ARGS=--watch follows trainings
	@$(BIN)/python -m shared.report $(ARGS)

runs: $(READY) ## list saved runs, filter them, remove them after you confirm: ARGS=--help
	@$(BIN)/python -m shared.runs.manage $(RUNS) $(ARGS)

predict: $(READY) ## forecast a series (RUN=series-gru, FILE=newer.csv) or classify (RUN=text-gru TEXT="...")
	@$(BIN)/python -m shared.inference.predict $(if $(RUN),'$(RUN)') $(if $(FILE),--file '$(FILE)') $(if $(TEXT),--text "$$TEXT") $(ARGS)

generate: $(READY) ## write a text with a trained writer: RUN=writer-gru ARGS="--prompt 'ROMEO:' --temperature 0.8"
	@$(BIN)/python -m shared.inference.generate $(if $(RUN),'$(RUN)') $(ARGS)

export: $(READY) ## export the network of a run, with an example: RUN=imdb-gru ARGS="--format onnx"
	@$(BIN)/python -m shared.inference.export $(if $(RUN),'$(RUN)') $(ARGS)

explain: $(READY) ## show what a network reads in a text, or what a forecast leans on: RUN=imdb-gru TEXT="..."
	@$(BIN)/python -m shared.inference.explain $(if $(RUN),'$(RUN)') $(if $(FILE),--file '$(FILE)') $(if $(TEXT),--text "$$TEXT") $(if $(EXAMPLE),--example '$(EXAMPLE)') $(ARGS)

try: $(READY) ## type a text or paste rows in the browser, and watch a network read: RUN=imdb-gru (127.0.0.1 only)
	@$(BIN)/python -m shared.inference.explain.live $(if $(RUN),'$(RUN)') $(ARGS)

equivalence: $(READY) ## compare the ways to compute one set of weights: NumPy, Keras, XLA, PyTorch, ...
	@$(BIN)/python -m shared.studies.equivalence $(ARGS)

gradient-flow: $(READY) ## measure the gradient at each step, before and after training: RUNS="imdb-gru imdb-lstm"
	@$(BIN)/python -m shared.studies.gradient_flow $(RUNS) $(ARGS)

memory-horizon: $(READY) ## find the longest lag that each cell remembers (3 minutes); ARGS=--full: six lags, three seeds, variants
	@$(BIN)/python -m shared.studies.horizon $(ARGS)

backtest: $(READY) ## test a forecast on several parts of its series: RUN=series-gru ARGS="--folds 5 --refit"
	@$(BIN)/python -m shared.studies.backtest $(RUN) $(ARGS)

sweep: $(READY) ## train a grid or search for settings, resumable: RECIPES="imdb-gru imdb-lstm" ARGS="--grid units=16,32" or FILE=, STATUS=
	@$(BIN)/python -m shared.studies.sweep $(if $(filter command,$(firstword $(origin RECIPES))),$(RECIPES)) $(if $(FILE),--file '$(FILE)') $(if $(STATUS),--status '$(STATUS)') $(ARGS)

reference: $(READY) ## train every recipe on real data, five seeds, all cores (many hours; continues where it stopped)
	@$(BIN)/python -m shared.studies.reference $(ARGS)

reference-tables: $(READY) ## write the pages and pictures of the published results again
	@$(BIN)/python -m shared.studies.reference --tables-only

lessons: $(TEST_READY) ## run the commands of docs/lessons again, for pictures, scores and notebooks; ARGS=--no-train
	@$(BIN)/python -m shared.studies.lessons $(ARGS)

new-recipe: ## copy a recipe to start your own: FROM=imdb-gru NAME=imdb-gru-relu
	@$(PYTHON) -m shared.commands.new_recipe --source '$(FROM)' --name '$(NAME)'

recipe-table: ## write the table of recipes in README.md
	@$(PYTHON) -m shared.commands.recipe_table

test: $(TEST_READY) ## run the tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

test-slow: $(TEST_READY) ## run the slow tests that `make test` leaves out (minutes)
	$(BIN)/python -m pytest -m slow $(ARGS)

torture: $(TEST_READY) ## try 1,000 bad inputs and 100 kills on the suite (half an hour); ARGS="--kinds tables"
	@$(BIN)/python -m tests.torture $(ARGS)

kernels: $(READY) ## show the kernel of a recipe's recurrent layer, flag by flag: RECIPE=imdb-gru
	@test -f recipes/$(subst -,_,$(RECIPE)).py || \
	  { echo "error: RECIPE=$(RECIPE): no such recipe. make help lists all. Example: make kernels RECIPE=imdb-gru" >&2; exit 2; }
	@$(BIN)/python recipes/$(subst -,_,$(RECIPE)).py --kernels $(ARGS)

bands: $(TEST_READY) ## compare the generated tasks with the best achievable score, five seeds (minutes)
	RNN_RECIPES_BANDS=1 $(BIN)/python -m pytest tests/recipes/test_bands.py $(ARGS)

update-stored: $(TEST_READY) ## write the stored losses of the tests again (changes numbers)
	$(BIN)/python -m pytest tests -k losses_are_those_stored --update-stored

lint: $(TEST_READY) ## check style, format and the direction of imports
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

bench-first-contact: ## measure `git clone` and the first `make imdb-gru`, step by step (ARGS="--second --terminal")
	@$(PYTHON) benchmarks/first_contact.py $(ARGS)

bench: $(READY) ## measure how fast the recipes train, by technique and against others, and exports (an hour)
	@$(BIN)/python benchmarks/speed.py $(ARGS)
	@$(if $(ARGS),,$(BIN)/python benchmarks/export_formats.py --times)

bench-layers: $(READY) ## measure one layer at many sizes, beside Keras, BlockLSTM and PyTorch (a quarter of an hour)
	@$(BIN)/python benchmarks/layers.py $(ARGS)

bench-load: $(READY) ## measure time and memory of loading the reviews, against Keras' own loader
	@$(BIN)/python benchmarks/load_imdb.py $(ARGS)

bench-epochs: $(READY) ## measure seconds per epoch of every IMDB recipe on the real reviews
	@$(BIN)/python benchmarks/epoch_seconds.py $(ARGS)

bench-weather: $(READY) ## measure time and memory of weather-gru on one year of weather and on ten
	@$(BIN)/python benchmarks/weather_rows.py $(ARGS)

bench-determinism: $(READY) ## train with one seed several times, and measure what equal numbers cost
	@$(BIN)/python benchmarks/determinism.py $(ARGS)

bench-seasons: $(READY) ## test weather-best on seasons outside its training: ARGS='"" "--reads target"'
	@$(BIN)/python benchmarks/seasons.py $(ARGS)

bench-export: $(READY) ## export every recipe to every format: differences and sizes (ten minutes); ARGS=--times: how long one example takes
	@$(BIN)/python benchmarks/export_formats.py $(ARGS)

bench-try: $(TEST_READY) ## measure how long make try needs for 200 words, in Chromium: ARGS="--words 200"
	@$(BIN)/python benchmarks/try_speed.py $(ARGS)

bench-runs: $(READY) ## measure how fast compare, report and runs are with 50 and with 3,000 saved runs
	@$(BIN)/python benchmarks/many_runs.py $(ARGS)

bench-reviews: $(READY) ## train text-gru on the IMDB reviews as text, and imdb-gru beside it
	@$(BIN)/python benchmarks/raw_reviews.py $(ARGS)

bench-texts: $(READY) ## measure time and memory of loading a million short texts
	@$(BIN)/python benchmarks/million_texts.py $(ARGS)

clean: ## remove .venv and keep the results
	rm -rf $(VENV)

clean-caches: $(READY) ## remove the caches of this suite; downloads stay
	@$(BIN)/python -m shared.core.cache

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than 3.11. Name a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "Setting up $(VENV) (once): TensorFlow and what it needs, up to two minutes"
	@$(PYTHON) -m shared.commands.install --venv $(VENV) || \
	  { echo "error: $(PYTHON) cannot make a virtual environment. On Debian: apt install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m shared.commands.install -r requirements.txt
	@touch $@

$(TEST_READY): $(READY)
	@echo "Adding what the tests need (once)"
	@$(BIN)/python -m shared.commands.install -e '.[test]'
	@touch $@
