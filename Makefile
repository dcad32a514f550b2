# make demo: set up, then take a sample class through the whole course.   make test: set up, then run the tests.
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export OMP_NUM_THREADS ?= 1
# one more than there are cores: many tests wait for a kernel, a browser or a class that another test is grading
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

# What measures and calibrates an assignment's thresholds lies with its judging modules; `results` is bench/results.py.
a2 = PYTHONPATH=.:bench:source/cs480-a2 python -m judging.cs480_a2
hw2 = PYTHONPATH=.:bench:source/csc6022-hw2 python -m judging.csc6022_hw2

.PHONY: setup demo test test-tensorflow check lint docs screenshots lock release bench bench-engine bench-startup bench-loader bench-reference bench-notebook \
        bench-student bench-visible bench-calibrate bench-frameworks bench-open-network bench-pdf bench-marking bench-gpu soak \
        nbgrader-suite \
        early mutate right-notebooks

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml setup.sh
	./setup.sh

demo: setup
	python -m demo.play

test: setup lint
	python -m pytest -n $(JOBS) --dist worksteal

# What needs TensorFlow, in an environment of its own.
test-tensorflow: .venv-tensorflow/ready
	PATH=$(CURDIR)/.venv-tensorflow/bin:$$PATH TF_CPP_MIN_LOG_LEVEL=2 python -m pytest -n $(JOBS) --dist worksteal tests/tensorflow

.venv-tensorflow/ready: .venv/ready requirements-tensorflow.lock
	[ -x .venv-tensorflow/bin/python ] || .venv/bin/python -m venv .venv-tensorflow
	uv pip sync --quiet --python .venv-tensorflow/bin/python --require-hashes --compile-bytecode requirements-tensorflow.lock
	uv pip install --quiet --python .venv-tensorflow/bin/python --no-deps --editable .
	touch .venv-tensorflow/ready

# Before a commit: lint, types, the tests of what has changed, and a smoke course.
check: setup lint
	python -m pytest -n $(JOBS) --dist worksteal $$(python tests/changed.py $(if $(SINCE),--since $(SINCE)))

lint: setup
	ruff check .
	ruff format --check .
	mypy
	MYPYPATH=source/cs480-a2 mypy source/cs480-a2/checks  # each assignment has a package of this name

# Pages made from the code: docs/reference/.
docs: setup
	python docs/generate.py

# The pictures in docs/images/, taken from running pages in Chromium.
screenshots: setup
	python docs/screenshots.py

release: setup
	chainrule release cs480-a2
	chainrule release csc6022-hw2

# Slow proofs: each writes its section of bench/RESULTS.md.
bench: bench-engine bench-startup bench-visible bench-loader bench-reference bench-notebook bench-student bench-calibrate bench-frameworks bench-open-network bench-pdf bench-marking

# Classes against stock nbgrader, CPU seconds of a notebook, workers; exits with 1 if a bound is missed.
bench-engine: setup
	python bench/engine.py

# What a GPU changes, in at most 8 minutes; `python bench/gpu.py --rehearse` does the same on the CPU, small.
bench-gpu: setup
	python bench/gpu.py

# A class of a thousand with attackers in it, interrupted twice; exits with 1 if anything grows, stays or changes. An
# interrupted soak continues.
soak: setup
	python bench/soak.py

# nbgrader's own tests, with stock nbgrader and with our steps; an interrupted run continues.
nbgrader-suite: setup
	python bench/nbgrader_suite.py

# How many wrong answers the visible checks notice; exits with 1 if one fails on a right answer.
early: setup
	python bench/early.py

# Which mutants of the reference solutions survive the checks; an interrupted run continues.
mutate: setup
	python bench/mutate.py

# Whole notebooks of right answers in many styles, graded; exits with 1 if one loses points.
right-notebooks: setup
	OMP_NUM_THREADS= python bench/right_notebooks.py

# CPU seconds of the visible checks; exits with 1 if a notebook's take more than five.
bench-visible: setup
	python bench/visible_checks.py

# CPU seconds of commands on a small course; exits with 1 if one takes more than its bound.
bench-startup: setup
	python bench/startup.py

bench-loader: setup
	python bench/loader.py

bench-reference: setup
	OMP_NUM_THREADS= $(a2).reference_run

bench-notebook: setup
	OMP_NUM_THREADS= python bench/notebook.py --profile quick
	OMP_NUM_THREADS= python bench/notebook.py --profile full

bench-student: setup
	python bench/one_student.py csc6022-hw2
	python bench/one_student.py csc6022-hw2 --blank
	python bench/one_student.py csc6022-hw2 --profile full --cores 2

bench-open-network: setup
	OMP_NUM_THREADS= $(hw2).open_network

bench-calibrate: setup
	$(a2).calibrate --profile quick --seeds 10
	$(a2).calibrate --profile full --seeds 10
	$(hw2).calibrate_p6_1 --seeds 10
	$(hw2).calibrate_p6_2 --profile quick --seeds 10 --ours
	$(hw2).calibrate_p6_2 --profile full --seeds 10
	$(hw2).calibrate_p7 --seeds 10

# What a second framework costs, and the thresholds of its notebook; exits with 1 if a bound is missed.
bench-frameworks: export PATH := $(CURDIR)/.venv-tensorflow/bin:$(PATH)
bench-frameworks: export TF_CPP_MIN_LOG_LEVEL = 2
bench-frameworks: .venv-tensorflow/ready
	python bench/frameworks.py
	$(hw2).calibrate_p6_2 --framework tensorflow --profile quick --seeds 10 --ours
	$(hw2).calibrate_p6_2 --framework tensorflow --profile full --seeds 10

bench-pdf: setup
	python bench/pdf.py

# Presses and seconds of a marker, in the marking room and in formgrader; exits with 1 if a bound is missed.
bench-marking: setup
	python bench/marking.py

compile = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
          pyproject.toml

lock:
	$(compile) $(addprefix --extra ,pdf cluster author dev) -o requirements.lock
	$(compile) --all-extras -c requirements.lock -o requirements-tensorflow.lock
	sed -e '/^ *#/d' -e '/--hash=/d' -e 's/ *\\$$//' requirements.lock > environment-pins.txt
