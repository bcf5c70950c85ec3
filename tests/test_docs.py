"""The documents hold: commands are real, links lead somewhere, tables are what the code says, both READMEs agree."""

import re
import shlex
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from string import Template
from typing import Any

import click
import pytest

from common.errors import UserError
from common.names import MIX, root_task
from common.settings import parse_settings
from converters.generate.settings import Generating, Rewriting, Scoring
from converters.registry import load_task, task_names
from converters.settings import build_settings
from recipes.catalog import backbones, hardware_profiles, methods
from recipes.keys import known_keys
from recipes.memory_table import SHORT, memory_table
from eval.questions import load_questions
from tests.checkout import ROOT, Checkout
from tests.documents import (
    DOCUMENTS, FENCE, NOTEBOOK, SPAN, Command, anchors, blocks, commands, commands_of, headings, links, prose, says,
    table, text_of,
)  # fmt: skip

README, CHINESE = (text_of(ROOT / name) for name in ("README.md", "README.zh.md"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CHEAP = {"make help", "make list", "make new-task", "make convert", "make data-report", "make plan", "converters"}
"""Commands that are run as they stand: they need no hub and no torch."""
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.M))
GROUPS = {"converters": "cli", "recipes": "main", "eval": "main"}
OWN_TASKS = {"treatments", "brief"}
"""Tasks of the reader's own, as docs/custom_tasks.md makes them."""
OWN_MODELS = {"my-model-7b"}
"""A backbone of the reader's own, as docs/backbones.md adds it."""
QUESTIONS = "tasks/treatments.questions.jsonl"
"""Where docs/custom_tasks.md puts its questions."""
TABLES = [
    ("README.md", "python -m recipes list --memory short", lambda: memory_table(SHORT)),
    ("README.zh.md", "python -m recipes list --memory short", lambda: memory_table(SHORT)),
    ("docs/backbones.md", "python -m recipes list --memory all", memory_table),
]
FOLDERS = ("common/", "converters/", "recipes/", "eval/", "tests/", "docs/")


def relative(document: Any) -> str:
    return document.relative_to(ROOT).as_posix()


per_document = pytest.mark.parametrize("document", DOCUMENTS, ids=relative)


def told(command: Command, check: Callable[[Command], Iterator[str]]) -> list[str]:
    return [f"{command.text}: {problem}" for problem in check(command)]


def is_open(value: str) -> bool:
    """Tell whether a value stands for whatever the reader has: nothing, NAME, <name>, some/.../path."""
    return not value or bool(re.fullmatch(r"[A-Z_]+|<.*>|.*\.\.\..*", value))


def expanded(command: Command, without: str = "") -> list[str]:
    """Return what make would run for a command."""
    given = [f"{name}={value or 1}" for name, value in command.given.items() if name != without]
    target = command.program.removeprefix("make ")
    done = subprocess.run(["make", "-n", target, *given], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def group(module: str) -> click.Group:
    return getattr(import_module(f"{module}.__main__"), GROUPS[module])


def unparsed(module: str, words: list[str], whole: bool) -> Iterator[str]:
    """Tell what click says against the words of `python -m module`; nothing of it is run."""
    main = group(module)
    context = click.Context(main)
    if not words or is_open(words[0]):
        return
    try:
        found = main.get_command(context, words[0])
        if found is None:
            yield f"python -m {module} has no command {words[0]}"
        else:
            found.make_context(words[0], words[1:], parent=context)
    except click.MissingParameter as error:
        if whole:
            yield error.format_message()
    except click.exceptions.Exit:  # --help
        pass
    except (click.UsageError, UserError) as error:
        yield getattr(error, "message", str(error))


def misnamed(given: dict[str, str]) -> Iterator[str]:
    """Tell which of TASK, MODEL ... name nothing that there is."""
    known = {
        "TASK": lambda name: root_task(name) in {*task_names(), *OWN_TASKS},
        "MODEL": lambda name: name in {*backbones(), *OWN_MODELS} or "/" in name,
        "METHOD": lambda name: name in methods(),
        "HARDWARE": lambda name: name in {"auto", *hardware_profiles()},
        "SWEEP": lambda name: (ROOT / name if "." in name else ROOT / f"recipes/sweeps/{name}.yaml").is_file(),
        "SOURCE": lambda name: not name.startswith("converters/") or (ROOT / name).exists(),
    }  # fmt: skip
    for variable, is_known in known.items():
        for name in given.get(variable, "").split():
            if not (is_open(name) or is_known(name)):
                yield f"{variable}={name}"
    words = [word for word in shlex.split(given.get("SET", "")) if word not in ("key=value", "...")]
    keys = parse_settings(shlex.join(words)) if given.get("TASK") not in OWN_TASKS else {}
    yield from (f"SET={key}" for key in keys if key not in settable(given.get("TASK", "")))


def settable(task: str) -> set[str]:
    """Return what SET can hold: keys of a recipe, of a conversion, of a generation, of a mix."""
    general = {key for name in ([task] if task in task_names() else task_names()) for key in options(name)}
    asking = {field.name for kind in (Generating, Rewriting, Scoring) for field in fields(kind)}
    return {*known_keys(), *general, *asking, *(("share", "threshold") if MIX in task or not task else ())}


def options(task: str) -> set[str]:
    settings, own = build_settings(load_task(task), {})
    return {*settings.as_dict(), *own}


def problems_of_make(command: Command) -> Iterator[str]:
    target = command.program.removeprefix("make ")
    if target not in TARGETS:
        yield "no such target"
        return
    yield from misnamed(command.given)
    lines = expanded(command)
    for name in command.given:
        if f'"${name}"' not in "\n".join(lines) and lines == expanded(command, without=name) and not is_read(name):
            yield f"{name} is nothing that it takes"
    for line in lines if command.block else []:
        if match := re.match(r"\S+ -m (converters|recipes|eval) (.*)", line):
            whole = Template(match[2]).safe_substitute({k: v.replace('"', '\\"') for k, v in command.given.items()})
            yield from unparsed(match[1], shlex.split(whole), whole=True)


def problems_of_python(command: Command) -> Iterator[str]:
    """In running text `--format a|b` shows the choices."""
    words = [word.split("|")[0] for word in command.words]
    yield from unparsed(command.program, words, whole=command.block)


def is_read(name: str) -> bool:
    """Tell whether the code reads a variable from its environment."""
    read = [path.read_text(encoding="utf-8") for folder in FOLDERS[:4] for path in (ROOT / folder).rglob("*.py")]
    return any(f'"{name}"' in code for code in read)


@per_document
def test_make_commands_are_real(document):
    found = [command for command in commands(document) if command.program.startswith("make ")]
    assert [problem for command in found for problem in told(command, problems_of_make)] == []


@per_document
def test_python_commands_are_real(document):
    found = [command for command in commands(document) if command.program in GROUPS]
    assert [problem for command in found for problem in told(command, problems_of_python)] == []


@per_document
def test_words_in_running_text_are_real(document):
    spans = SPAN.findall(prose(text_of(document)))
    given = [dict([span.split("=", 1)]) for span in spans if re.match(r"[A-Z][A-Z_]*=", span) and " make " not in span]
    unquoted = [{name: value.split('" ')[0].strip('"') for name, value in one.items()} for one in given]
    assert [problem for one in unquoted for problem in misnamed(one)] == []
    every = {option for module in GROUPS for option in all_options(group(module))}
    named = [span.split()[0].split("=")[0] for span in spans if span.startswith("--")]
    assert [option for option in named if option not in every] == []


def all_options(command: click.Command) -> set[str]:
    found = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        found |= {o for name in command.list_commands(context) for o in all_options(command.get_command(context, name))}
    return found


@pytest.mark.parametrize("document", [*DOCUMENTS, NOTEBOOK], ids=relative)
def test_links_lead_somewhere(document):
    broken = []
    for link in links(text_of(document)):
        path, _, anchor = link.partition("#")
        if path.startswith("http"):
            continue
        there = (document.parent / path).resolve() if path else document
        if not there.exists() or (anchor and anchor not in anchors(text_of(there))):
            broken.append(link)
    assert broken == []


@per_document
def test_the_files_that_are_named_are_there(document):
    named = [re.sub(r"\s+", "", span) for span in SPAN.findall(prose(text_of(document)))]
    inside = [name for name in named if name.startswith(FOLDERS) and not re.search(r"[<>={}A-Z]", name)]
    assert [name for name in inside if not any(ROOT.glob(name.rstrip("/")))] == []


def section(text: str, title: str) -> str:
    """Return what stands under a heading, up to the next of its depth."""
    return re.split(r"^## ", text.split(f"## {title}\n")[1], maxsplit=1, flags=re.M)[0]


def play(checkout: Checkout, text: str) -> None:
    """Do what a text says, block by block: write its files, run its cheap commands, find the output that it shows."""
    said = ""
    for kind, _, body in FENCE.findall(text):
        if kind in ("yaml", "python"):
            path = checkout.folder / body.split()[1]
            path.write_text(body, encoding="utf-8")
        elif kind == "jsonl":
            (checkout.folder / QUESTIONS).write_text(body, encoding="utf-8")
        elif found := commands_of(body):
            for command in found:
                if command.program in CHEAP:
                    done = checkout.run(command.text)
                    said += done.stdout + done.stderr
                    assert "Traceback" not in said, said
        else:
            shown = (re.escape(line).replace(r"\.\.\.", ".*") for line in body.splitlines() if line)
            assert [line for line in shown if not re.search(f"^{line}$", said, re.M)] == [], said


def test_the_first_five_minutes_go_as_shown(tmp_path):
    checkout = Checkout(tmp_path)
    play(checkout, section(README, "Five minutes"))
    start = README.split("## ")[0]
    rows = re.search(r"^medical_en: 216 rows.*\n.*\n.*$", start, re.M)[0]  # as `make demo` prints it
    assert rows in checkout("make convert TASK=medical_en SOURCE=converters/examples/medical_en FORCE=1")


def test_help_and_list_run_and_the_counts_are_right(tmp_path):
    checkout = Checkout(tmp_path)
    listed = checkout("make help") + checkout("make list")
    for name in (*TARGETS - {"bench"}, *backbones(), *methods(), *hardware_profiles(), *task_names()):
        assert name in listed
    for text in (README, CHINESE):
        assert re.findall(r"\[[^]\d]*(\d+)[^]\d]*\]\(docs/\w+\.md\)", text) == [
            str(len(backbones())),
            str(len(methods())),
        ]


def test_the_page_on_custom_tasks_works_as_it_stands(tmp_path):
    checkout = Checkout(tmp_path)
    play(checkout, text_of(ROOT / "docs/custom_tasks.md"))
    assert len(load_questions(tmp_path / QUESTIONS)) == 2


@pytest.mark.parametrize(("document", "command", "made"), TABLES, ids=lambda value: value if isinstance(value, str) else "")
def test_tables_are_what_the_code_says(document, command, made):
    assert table(text_of(ROOT / document), command) == made(), f"{command} makes it anew"


def bare(text: str) -> list[str]:
    """Return the lines of the code blocks without their comments."""
    return [re.sub(r"\s+# .*", "", line) for line in "\n".join(blocks(text)).splitlines()]


def test_both_readmes_say_the_same():
    assert bare(CHINESE) == bare(README)
    assert [depth for depth, _ in headings(CHINESE)] == [depth for depth, _ in headings(README)]
    assert [link for link in links(CHINESE) if link != "README.md"] == [link for link in links(README) if link != "README.zh.md"]
    rows = [re.findall(r"^\|.*", text, re.M) for text in (CHINESE, README)]
    assert len(rows[0]) == len(rows[1])
    figures = [sorted(re.findall(r"\d[\d.,]*\d|\d", prose(text))) for text in (CHINESE, README)]
    assert figures[0] == figures[1]


def test_every_page_and_every_command_is_named_in_the_readme():
    for page in DOCUMENTS[2:]:
        assert f"docs/{page.name}" in README, page.name
    named = {command.program for command in commands(ROOT / "README.md")}
    assert [target for target in TARGETS - {"bench", "check"} if f"make {target}" not in named] == []


TROUBLES = text_of(ROOT / "docs/troubleshooting.md")
INSTALLED = Path(sysconfig.get_path("purelib"))
QUOTED = [(source, line) for kind, source, body in FENCE.findall(TROUBLES) if source for line in body.splitlines()]
OWN = [span for row in re.findall(r"^\| (`.*?) \|", TROUBLES, re.M) for span in SPAN.findall(row)]


@pytest.mark.parametrize(("source", "line"), QUOTED)
def test_their_messages_are_those_of_the_installed_packages(source, line):
    assert says(INSTALLED / source, re.sub(r"^\w+Error: ", "", line))


@pytest.mark.parametrize("message", OWN)
def test_our_messages_are_ours(message):
    assert any(says(ROOT / folder, message) for folder in ("common", "converters", "recipes", "eval"))
