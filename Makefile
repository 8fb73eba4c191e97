# Everything runs in the virtual environment .venv, which is made when it is first needed and again
# when pyproject.toml changes. PYTHON=/path/to/python3.12 chooses another interpreter for it.

PYTHON ?=
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-cluster quick coverage bench canaries callbacks attack incidents lint format lock sbom docs pictures release clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed ## see it work: an Exotel of its own calls a bot and the server
	@$(BIN)/python -m demo

test: .venv/.installed-test ## formatter, linter, types, then every test
	@$(BIN)/ruff format --check --quiet . || { echo "the formatter would change these files: make format" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --strict --no-error-summary
	@$(BIN)/mypy --config-file tests/mypy.ini --no-error-summary
	@scripts/browser
	@scripts/faketime
	@scripts/nginx
	@nice -n 19 $(BIN)/python -m pytest -n auto --maxprocesses 8 --ignore tests/browser
	@# Apart, for the driver of the browser leaves its own event loop running in the process.
	@nice -n 19 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/browser

test-cluster: .venv/.installed-test .venv/.installed-cluster ## many nodes on hosts of a lab, as root; TEST=name for one
	@scripts/cluster-lab $(if $(TEST),-k "$(TEST)")

quick: .venv/.installed-test ## a minute's tests, without other processes: while you work
	@nice -n 19 $(BIN)/python -m pytest -n auto --maxprocesses 8 -m 'not process and not slow' \
		--ignore tests/journeys --ignore tests/browser --hypothesis-profile quick

coverage: .venv/.installed-test ## which branches the tests take, and which modules their own tests leave
	@rm -rf .coverage && mkdir .coverage
	@$(BIN)/coverage run -m pytest -n auto --maxprocesses 8 --ignore tests/browser
	@$(BIN)/coverage combine --quiet
	@$(BIN)/python scripts/coverage_of_twins.py
	@$(BIN)/coverage report

bench: .venv/.installed-bench ## side by side with rivals, half an hour; QUICK=1 six minutes, FULL=1 an hour
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(FULL),--full)

canaries: .venv/.installed-bench ## simulate rollouts: false rollbacks, calls until harm is found; a quarter of an hour, QUICK=1 a minute
	@$(BIN)/python -m benchmarks.canaries $(if $(QUICK),--quick)

callbacks: .venv/.installed-bench ## ten thousand unanswered requests for a call, and a storm; half an hour, QUICK=1 minutes
	@$(BIN)/python -m benchmarks.calling_back $(if $(QUICK),--quick)

attack: .venv/.installed-test ## attack the running program, under fifteen minutes; PART=kills for one
	@scripts/faketime
	@$(BIN)/python -m attack $(PART)

incidents: .venv/.installed-test ## play incidents at three kinds of traffic, and print when who heard what
	@$(BIN)/python -m incidents

lint: .venv/.installed-test ## formatter, linter and types only
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict
	@$(BIN)/mypy --config-file tests/mypy.ini

format: .venv/.installed-test ## lay the code out, and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: .venv/.installed-lock ## the exact versions of an image anew, and the licences of what is installed
	@scripts/lock
	@$(BIN)/python scripts/sbom.py --licences

sbom: .venv/.installed ## what is installed, as CycloneDX, on standard output
	@$(BIN)/python scripts/sbom.py

docs: .venv/.installed-docs ## the documentation as a site, in build/docs/site; a broken link ends it
	@$(BIN)/python scripts/site.py

pictures: .venv/.installed-test ## the pictures of the documentation anew, from the demo
	@scripts/browser
	@$(BIN)/python scripts/pictures.py

release: .venv/.installed-test ## build, commit and tag a version: make release VERSION=0.2.0
	@$(BIN)/python scripts/release.py $(VERSION)

clean: ## remove the environment, caches and the demo's data
	rm -rf .venv build dist demo-data .hypothesis .mypy_cache .ruff_cache .pytest_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find src -name '*.so' -delete

# One stamp for each set of packages, so that a demo needn't wait for the tools of the tests.

.venv/.installed: pyproject.toml scripts/make-venv hatch_build.py package.json $(shell find src -name '*.pyx')
	@PYTHON="$(PYTHON)" scripts/make-venv
	@echo "installing switchhook into .venv: a minute or two, this once" >&2
	@$(BIN)/python -m pip install -qq --editable '.[emulator]'
	@touch $@

.venv/.installed-%: .venv/.installed
	@echo "installing what '$*' needs into .venv" >&2
	@$(BIN)/python -m pip install -qq --group $*
	@touch $@
