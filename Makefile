# scribetui. On a fresh machine: "make demo" for the main job, "make test" for the tests.

# uv installs everything; where it is missing, it is fetched into .uv.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON_VERSIONS := >=3.11,<3.14
# By files, so that what tests share is made once, and the long ones first.
PYTEST_ARGS ?= --numprocesses 2 --dist loadfile --no-loadscope-reorder
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --constraints constraints.txt

.PHONY: demo test check bench lock clean

demo: $(VENV)/.installed-demo
	$(BIN)/scribetui demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	$(BIN)/python -m bench

# The versions for every platform, Python version, extra and group at once; "make lock UPGRADE=1" takes newer ones.
lock: $(UV)
	$(UV) pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-header --no-annotate \
		$(if $(UPGRADE),--upgrade) --all-extras --group dev pyproject.toml --output-file constraints.txt

clean:
	rm -rf $(VENV) .uv

$(VENV)/.installed-demo: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[demo]'
	@touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[demo,mlx,align]' --group dev
	@touch $@

# Once there, an environment is only added to.
$(BIN)/python: | $(UV)
	$(UV) venv --quiet --python '$(PYTHON_VERSIONS)' $(VENV)

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet uv
