# Every target is one line that calls `python -m converters|recipes|eval`, so all of it works without make.
PYTHON ?= python3
PY := .venv/bin/python
VARIABLES = SWEEP SKIP EXECUTOR JOBS ONLY SUBMIT SLURM_HOURS RAY_ADDRESS TASK MODEL METHOD VARIANT HARDWARE SET SOURCE LIMIT FORMAT RUN WHO JUDGE QUESTIONS LM_EVAL BUDGET PRICE EXTRA MAX_TOKENS TEMPERATURE SORT DELETE LANGUAGE TRACK NAME N GENERATOR PROMPTS PORT PUSH GGUF CANARIES CASES GPUS NNODES NODE_RANK MASTER_ADDR MASTER_PORT USE_RAY PRICE_PER_HOUR VLLM
# What says how this machine is used counts from the environment too; all else only from the command line (WSL sets NAME).
MACHINE = RAY_ADDRESS SUBMIT SLURM_HOURS GPUS NNODES NODE_RANK MASTER_ADDR MASTER_PORT USE_RAY PRICE PRICE_PER_HOUR VLLM EXTRA LLAMA_CPP
given = $(filter command,$(firstword $(origin $(1))))
$(foreach name,$(filter-out $(MACHINE),$(VARIABLES) THINK FORCE DRY STATUS GUIDED CHECKLIST STRUCTURED IF_IT_FITS BEST YES WEB),$(if $(call given,$(name)),,$(eval unexport $(name))$(eval $(name) :=)))
# Only those that were given: an empty MASTER_PORT in the environment is not the same as none.
$(foreach name,$(VARIABLES),$(if $($(name)),$(eval export $(name))))
GIVEN := $(foreach name,$(.VARIABLES),$(if $(call given,$(name)),$(name)))
$(if $(GIVEN),$(if $(shell $(PYTHON) common/make_words.py "$(MAKECMDGOALS)" $(GIVEN)),$(error nothing was started)))
# TASK=law_zh,medical_zh is the first task's rows with the other's mixed in.
comma := ,
$(if $(findstring $(comma),$(TASK)),$(eval override TASK := $(subst $(comma),+,$(TASK)))$(eval export TASK))
# BEST=1 is one key of LLaMA-Factory's, which takes three others with it.
$(if $(BEST),$(eval override SET := load_best_model_at_end=true $(SET))$(eval export SET))

# --option "$VALUE" for each variable that the user gave; the shell expands it, so that any quoting survives.
option = $(if $($(1)),--$(2) "$$$(1)")
RUN_OPTIONS = $(call option,TASK,task) $(call option,MODEL,model) $(call option,METHOD,method) $(call option,VARIANT,variant)
RECIPE_OPTIONS = $(RUN_OPTIONS) $(call option,HARDWARE,hardware) $(call option,SET,set)$(if $(THINK), --think)$(if $(BEST),)
DATA_OPTIONS = $(call option,SOURCE,source) $(call option,LIMIT,limit)
FORCED = $(if $(FORCE),--force)
GENERATE_OPTIONS = $(call option,TASK,task) $(call option,GENERATOR,generator) $(call option,NAME,name) $(call option,SET,set) $(call option,BUDGET,budget) $(call option,PROMPTS,prompts) $(FORCED)$(if $(DRY), --dry-run)
JUDGE_OPTIONS = $(foreach name,$(JUDGE),--judge "$(name)") $(call option,BUDGET,budget) $(call option,CANARIES,canaries) $(call option,MAX_TOKENS,max-tokens) $(call option,TEMPERATURE,temperature) $(call option,PROMPTS,prompts)$(if $(GUIDED), --guided)$(if $(CHECKLIST), --checklist)$(if $(STRUCTURED), --structured)$(if $(DRY), --dry-run)
EVAL_OPTIONS = $(RUN_OPTIONS) $(call option,RUN,run) $(call option,QUESTIONS,questions)

.DEFAULT_GOAL := help
.PHONY: help setup demo run sweep convert new-task rows data-report self-instruct rewrite score replay list recipe plan train heldout export card webui prepare rehearse twin
.PHONY: chat answer judge compare general result runs annotate report test test-fast lint check bench-converters bench-train bench-eval bench clean

help: ## Show this list (ALL=1: every command, and all of what each says).
	@awk -v all="$(if $(ALL),1)" -F':.*## ' '/^[a-z-]+:.*## / {text = $$2; if (all == "") {if (text ~ /^\+ /) next; sub(/ \(.*/, "", text); sub(/[;:.] .*/, "", text)}; sub(/^\+ /, "", text); sub(/[.:]$$/, "", text); printf "  make %-13s %s\n", $$1, text} /^##@ / {print "\n" substr($$0, 5)} END {if (all == "") print "\nmake help ALL=1 has every command with all its variables; docs/ has a page for each subject."}' Makefile

##@ Start here
setup: ## Make .venv with the tested versions (TORCH=keep uses the machine's own torch; PYTHON=python3.12 another Python).
	@$(PYTHON) common/bootstrap.py $(if $(filter keep,$(TORCH)),--keep-torch)

demo: setup ## The whole pipeline on a laptop: bundled rows, a small real model, no hub, no GPU, no key. About 10 minutes.
	@$(PY) -m recipes demo

run: setup ## The whole pipeline for TASK and MODEL: convert, train, held-out loss, export, answers, judgement.
	@$(PY) -m recipes run $(RECIPE_OPTIONS) $(DATA_OPTIONS) $(call option,TRACK,track) $(call option,JUDGE,judge) $(call option,QUESTIONS,questions) $(call option,MAX_TOKENS,max-tokens) $(FORCED)

##@ Data                           TASK=law_en ... SOURCE=file-or-folder LIMIT=rows FORMAT=alpaca|sharegpt
convert: setup ## Rows from the hub or SOURCE to data/TASK/, cleaned and split; VARIANT=raw SET="near=0" makes TASK~raw beside it; PUSH=you/name uploads them.
	@$(PY) -m converters convert $(call option,TASK,task) $(call option,VARIANT,variant) $(DATA_OPTIONS) $(call option,FORMAT,format) $(call option,SET,set) $(call option,PUSH,push) $(FORCED)

new-task: setup ## A task of your own: NAME= SOURCE=; looks at the rows, proposes a mapping, shows three of them.
	@$(PY) -m converters new "$$NAME" $(call option,SOURCE,source)

rows: setup ## Look at kept and rejected rows on a local page: filter, search, sample; drop, keep or edit single ones (PORT=n).
	@$(PY) -m converters rows $(call option,TASK,task) $(call option,PORT,port)

data-report: setup ## A page on what came in, what was dropped and why: data/TASK/report.html.
	@$(PY) -m converters report $(call option,TASK,task)

self-instruct: setup ## Have a model write N= new rows after a TASK's own (GENERATOR=model@url BUDGET=dollars DRY=1), then TASK=law_zh+self_instruct.
	@$(PY) -m converters self-instruct $(GENERATE_OPTIONS) $(call option,N,n)

rewrite: setup ## + Have a model make the answers helpful, the originals kept; then TASK=law_zh+rewritten.
	@$(PY) -m converters rewrite $(GENERATE_OPTIONS) $(call option,LIMIT,limit)

score: setup ## + Have a model rate the rows from 0 to 5; then TASK=law_zh+scored@4.
	@$(PY) -m converters score $(GENERATE_OPTIONS) $(call option,LIMIT,limit)

replay: setup ## + Have the model that will be trained answer general instructions (GENERATOR=base@url, no key); then TASK=law_zh+replay@0.1 forgets less.
	@$(PY) -m converters replay $(GENERATE_OPTIONS) $(call option,LIMIT,limit)

##@ Training                       TASK= MODEL= METHOD=lora|qlora|... HARDWARE=auto|t4|... VARIANT=name SET="key=value ..." THINK=1
list: setup ## Every MODEL, METHOD, HARDWARE and TASK; with MODEL= all that is known of that one.
	@$(PY) -m recipes list $(call option,MODEL,model)

recipe: setup ## + Render runs/TASK/MODEL/METHOD/recipe.yaml and print it; trains nothing.
	@$(PY) -m recipes render $(RECIPE_OPTIONS)

plan: setup ## Check rows, template, card, memory, disk, time, cost (PRICE_PER_HOUR=dollars) and licence of a run, each with its reason; starts nothing.
	@$(PY) -m recipes plan $(RECIPE_OPTIONS) $(call option,LIMIT,limit)

train: setup ## Train MODEL on the rows of TASK (both are fetched if need be); resumes where it stopped. FORCE=1 replaces another recipe's run, trains a finished one anew, and trains against the plan's advice. BEST=1 keeps the best checkpoint and stops when it gets no better.
	@$(PY) -m recipes train $(RECIPE_OPTIONS) $(DATA_OPTIONS) $(call option,TRACK,track) $(FORCED)

heldout: setup ## Loss of base and tuned model on the test rows.
	@$(PY) -m recipes heldout $(RECIPE_OPTIONS)

export: setup ## Merge what was trained into a model folder that any program can load, and try it (PUSH=you/name uploads it; GGUF=q8_0 LLAMA_CPP=folder converts it for Ollama; IF_IT_FITS=1 skips what this machine can only serve).
	@$(PY) -m recipes export $(RECIPE_OPTIONS) $(call option,GGUF,gguf) $(call option,PUSH,push)$(if $(IF_IT_FITS), --if-it-fits)

card: setup ## + Write the exported model's card again, with what has been measured since.
	@$(PY) -m recipes card $(RECIPE_OPTIONS)

sweep: setup ## Runs of many models, methods or settings from one file, and their comparison: SWEEP=recipes/sweeps/methods.yaml (DRY=1 STATUS=1 ONLY=run SKIP=model JOBS=n EXECUTOR=ray|slurm).
	@$(PY) -m recipes sweep $(call option,SWEEP,sweep) $(call option,NAME,name) $(call option,TASK,task) $(call option,MODEL,model) $(call option,METHOD,method) $(call option,HARDWARE,hardware) $(call option,SET,set) $(DATA_OPTIONS) $(call option,TRACK,track) $(call option,JUDGE,judge) $(call option,QUESTIONS,questions) $(call option,MAX_TOKENS,max-tokens) $(call option,SKIP,skip) $(if $(call given,ONLY),--only "$$ONLY") $(call option,JOBS,jobs) $(call option,EXECUTOR,executor)$(if $(DRY), --dry-run)$(if $(STATUS), --status) $(FORCED)

webui: setup ## LLaMA-Factory's web UI, with your rows and recipes in its menus (PORT=7860).
	@$(PY) -m recipes webui $(call option,PORT,port)

prepare: setup ## + Make the local folder of a MODEL that needs one (train does it by itself).
	@$(PY) -m recipes prepare $(call option,MODEL,model)

rehearse: setup ## The whole pipeline on a tiny model of MODEL's own kind, with 60 of your rows, on a CPU: what would fail on the GPU fails here.
	@$(PY) -m recipes rehearse $(call option,TASK,task) $(call option,MODEL,model) $(call option,METHOD,method) $(call option,SET,set) $(call option,SOURCE,source) $(call option,QUESTIONS,questions)

twin: setup ## + A tiny random-weight model of a MODEL's own kind, to try things on.
	@$(PY) -m recipes twin $(call option,MODEL,model)

##@ Judging                        the same names, or RUN=runs/...; QUESTIONS=file JUDGE=name BUDGET=dollars MAX_TOKENS=n TEMPERATURE=0.7
chat: setup ## Talk to the base and the tuned model side by side; pairs that you mark are kept (WEB=1 in a page; WHO="base tuned", a run, MODEL@URL).
	@$(PY) -m eval chat $(RUN_OPTIONS) $(call option,RUN,run) $(foreach name,$(WHO),--who "$(name)") $(call option,MAX_TOKENS,max-tokens) $(call option,TEMPERATURE,temperature) $(call option,PORT,port)$(if $(WEB), --web)

answer: setup ## Answers of the base and the tuned model to the task's questions (WHO= for others: chatgpt ...; YES=1 replaces judged ones without asking; VLLM=1 serves with vLLM where it is installed).
	@$(PY) -m eval answer $(EVAL_OPTIONS) $(foreach name,$(WHO),--who "$(name)") $(call option,MAX_TOKENS,max-tokens) $(call option,TEMPERATURE,temperature) $(call option,BUDGET,budget)$(if $(DRY), --dry-run)$(if $(YES), --yes)

judge: setup ## Judge the answers in both orders; table, metrics.json, result.html. Also CANARIES=n GUIDED=1 CHECKLIST=1 STRUCTURED=1 PROMPTS=folder DRY=1.
	@$(PY) -m eval judge $(EVAL_OPTIONS) $(JUDGE_OPTIONS)

general: setup ## Did it forget? 120 plain instructions (English, Chinese) to base and tuned, checked by program (LM_EVAL="ifeval mmlu ceval" as well).
	@$(PY) -m eval general $(RUN_OPTIONS) $(call option,RUN,run) $(call option,LM_EVAL,lm-eval) $(call option,MAX_TOKENS,max-tokens) $(call option,TEMPERATURE,temperature)

compare: setup ## Judge the answers of runs against each other: RUN="runs/a runs/b" (WHO="tuned base" JUDGE= NAME=); one page, a ranking.
	@$(PY) -m eval compare $(foreach run,$(RUN),--run "$(run)") $(foreach name,$(WHO),--who "$(name)") $(call option,NAME,name) $(JUDGE_OPTIONS)

result: setup ## Show a run's result again; RUN="runs/a runs/b" pools several and ranks all their models.
	@$(PY) -m eval result $(RUN_OPTIONS) $(foreach run,$(RUN),--run "$(run)")

runs: setup ## Every run in one table and a page (SORT=held_out TASK= MODEL=); DELETE=checkpoints|exports|runs/... frees disk (YES=1).
	@$(PY) -m eval runs $(call option,TASK,task) $(call option,MODEL,model) $(call option,SORT,sort) $(call option,DELETE,delete)$(if $(YES), --yes)

annotate: setup ## Judge the answers yourself, on a blind web page: your votes count as a judge.
	@$(PY) -m eval annotate $(RUN_OPTIONS) $(call option,RUN,run) $(call option,NAME,name)

report: setup ## The experiment's report of SWEEP= or RUN="runs/a runs/b": runs/reports/NAME/report.md, .html, .tex, .pdf (CASES=n LANGUAGE=zh).
	@$(PY) -m eval report $(RUN_OPTIONS) $(foreach sweep,$(SWEEP),--sweep "$(sweep)") $(foreach run,$(RUN),--run "$(run)") $(call option,NAME,name) $(call option,CASES,cases) $(call option,LANGUAGE,language)

##@ This project itself
test: setup ## All tests, LLaMA-Factory's own training, export and serving among them; prints line coverage.
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --cov

test-fast: setup ## + The quick tests: no torch, nothing that takes seconds.
	@$(PY) -m pytest -m "not slow" -n 2

lint: setup ## + Format, lint, layers and types.
	@$(PY) -m ruff format --check . && $(PY) -m ruff check . && .venv/bin/lint-imports --no-logo --no-cache && $(PY) -m mypy

check: setup ## + Put recipes of every pair of backbone, method and hardware through LLaMA-Factory's own parser.
	@$(PY) -m tests.grid.check

bench-converters: setup ## + Rows a second, memory: all six data sets at full size, against the floor and datasets.map.
	@$(PY) -m tests.bench.converting && $(PY) -m tests.bench.novelty

bench-train: setup ## + Speed and memory of the default recipe against plain settings, to the same held-out loss.
	@$(PY) -m tests.bench.rendering && $(PY) -m tests.bench.training $(RECIPE_OPTIONS)

bench-eval: setup ## + Judging against the limit that a server's latency sets.
	@$(PY) -m tests.bench.judging

bench: bench-converters bench-eval bench-train ## + All three.

clean: ## + Remove what was made: data, models, runs and caches (not .venv).
	rm -rf data models runs cache saves llamaboard_cache llamaboard_config .pytest_cache .ruff_cache .mypy_cache
