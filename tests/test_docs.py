"""The documents hold: commands are real, links lead somewhere, tables are what the code says, both READMEs agree."""

import re
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from converters.registry import task_names
from eval.records.questions import load_questions
from recipes.catalog.catalog import backbones, hardware_profiles, methods
from tests.checkout import PACKAGES, ROOT, Checkout
from tests.document_commands import TARGETS, every_option, misnamed, wrong
from tests.documents import (
    DOCUMENTS,
    FENCE,
    NOTEBOOK,
    SPAN,
    anchors,
    blocks,
    commands,
    commands_of,
    headings,
    links,
    prose,
    says,
    table,
    text_of,
)
from tests.model_tables import SHORT, memory_table

README, CHINESE = (text_of(ROOT / name) for name in ("README.md", "README.zh.md"))
TROUBLES = text_of(ROOT / "docs/troubleshooting.md")
CHEAP = {"make help", "make list", "make new-task", "make convert", "make data-report", "make plan", "converters"}
"""Commands that are run as they stand: they need no hub and no torch."""
QUESTIONS = "tasks/treatments.questions.jsonl"
"""Where docs/custom_tasks.md puts its questions."""
TABLES = [
    ("README.md", "python -m tests.model_tables short", lambda: memory_table(SHORT)),
    ("README.zh.md", "python -m tests.model_tables short", lambda: memory_table(SHORT)),
    ("docs/backbones.md", "python -m tests.model_tables memory", memory_table),
]
IN_HERE = (*(f"{folder}/" for folder in PACKAGES), "tests/", "docs/")
INSTALLED = Path(sysconfig.get_path("purelib"))
THEIRS = [(source, line) for _, source, body in FENCE.findall(TROUBLES) if source for line in body.splitlines()]
OURS = [span for cell in re.findall(r"^\| (`.*?) \|", TROUBLES, re.M) for span in SPAN.findall(cell)]


def relative(document: Any) -> str:
    return document.relative_to(ROOT).as_posix()


per_document = pytest.mark.parametrize("document", DOCUMENTS, ids=relative)


@pytest.mark.slow
@per_document
def test_commands_are_real(document):
    assert [problem for command in commands(document) for problem in wrong(command)] == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("make trian TASK=law_zh", "make has no trian"),
        ("make list TASK=law_zh", "make list does not take TASK"),
        ("make train TASK=law_zw MODEL=qwen3-8b", "TASK=law_zw is not known"),
        ("make train TASK=law_zh MODEL=qwen3-9b METHOD=qlra", "METHOD=qlra is not known"),
        ("make plan TASK=law_zh MODEL=qwen3-8b HARDWARE=t5", "HARDWARE=t5 is not known"),
        ("make sweep SWEEP=recipes/sweeps/method.yaml", "SWEEP=recipes/sweeps/method.yaml is not known"),
        ('make train TASK=law_zh MODEL=qwen3-8b SET="lora_rnk=8"', "SET holds lora_rnk"),
        ("make convert TASK=law_zh FORMAT=json FORCE=1 GPUS=2 DRY=1", "make convert does not take DRY"),
        ("python -m recipes trian", "python -m recipes has no command trian"),
        ("python -m converters list --taks law_zh", "No such option '--taks'. Did you mean '--task'?"),
        ("python -m converters new mine", "Missing option '--source'."),
        ("python -m eval export --format csv", "Invalid value for '--format': 'csv' is not one of"),
        ("python -m recipes twin --model qwen3-9b", "MODEL=qwen3-9b is not known"),
    ],
)
def test_a_command_that_is_not_real_is_found(line, problem):
    assert [found for command in commands_of(line) for found in wrong(command) if problem in found]


@per_document
def test_words_in_running_text_are_real(document):
    spans = SPAN.findall(prose(text_of(document)))
    given = [re.fullmatch(r'([A-Z][A-Z_]*)=(?:"([^"]*)"|(\S*)).*', span) for span in spans if "make " not in span]
    assert [problem for one in filter(None, given) for problem in misnamed({one[1]: one[2] or one[3] or ""})] == []
    named = {re.split(r"[ =]", span)[0] for span in spans if span.startswith("--")}
    assert named <= every_option()


@pytest.mark.parametrize("document", [*DOCUMENTS, NOTEBOOK], ids=relative)
def test_links_lead_somewhere(document):
    broken = []
    for link in links(text_of(document)):
        path, _, anchor = link.partition("#")
        there = (document.parent / path).resolve() if path else document
        if not path.startswith("https:") and not (there.exists() and (not anchor or anchor in anchors(text_of(there)))):
            broken.append(link)
    assert broken == []


@per_document
def test_files_that_are_named_are_there(document):
    named = [re.sub(r"\s+", "", span) for span in SPAN.findall(prose(text_of(document)))]
    inside = [name for name in named if name.startswith(IN_HERE) and not re.search(r"[<>={}A-Z]", name)]
    assert [name for name in inside if not any(ROOT.glob(name.rstrip("/")))] == []


@pytest.mark.slow
@pytest.mark.parametrize(("document", "command", "made"), TABLES, ids=[document for document, _, _ in TABLES])
def test_tables_are_what_the_code_says(document, command, made):
    assert table(text_of(ROOT / document), command) == made(), f"{command} makes it anew"


@pytest.mark.parametrize(("source", "line"), THEIRS, ids=[line for _, line in THEIRS])
def test_their_messages_are_those_of_the_installed_packages(source, line):
    assert says(INSTALLED / source, re.sub(r"^\w+Error: ", "", line))


@pytest.mark.slow
@pytest.mark.parametrize("message", OURS)
def test_our_messages_are_ours(message):
    assert any(says(ROOT / folder, message) for folder in PACKAGES)


@pytest.mark.slow
def test_a_message_that_nothing_says_is_found():
    for message in ("this run will not fit at all", "... holds a run of another kind"):
        assert not any(says(ROOT / folder, message) for folder in PACKAGES)


def play(checkout: Checkout, text: str) -> None:
    """Do what a text says, block by block: write its files, run its cheap commands, find the output that it shows."""
    said = ""
    for kind, _, body in FENCE.findall(text):
        if kind in ("yaml", "python"):
            (checkout.folder / body.split()[1]).write_text(body, encoding="utf-8")  # its first line is a comment
        elif kind == "jsonl":
            (checkout.folder / QUESTIONS).write_text(body, encoding="utf-8")
        elif found := commands_of(body):
            for command in found:
                if command.program in CHEAP:
                    done = checkout.run(command.text)
                    said += done.stdout + done.stderr
                    assert "Traceback" not in said, said
        else:
            shown = [".*".join(map(re.escape, line.split("..."))) for line in body.splitlines() if line]
            shown = [re.sub(r"(not.* fit:.* memory)$", r"\1(, disk)?", line) for line in shown]  # what is free here
            assert [line for line in shown if not re.search(f"^{line}$", said, re.M)] == [], said


@pytest.mark.slow
def test_the_first_five_minutes_go_as_shown(tmp_path):
    checkout = Checkout(tmp_path)
    start, five = re.split(r"^## ", README, flags=re.M)[:2]
    play(checkout, five)
    rows = re.search(r"^medical_en: 216 rows.*\n.*\n.*\n", start, re.M)
    assert rows is not None
    assert rows[0] in checkout("make convert TASK=medical_en SOURCE=converters/examples/medical_en FORCE=1")


@pytest.mark.slow
def test_the_page_on_custom_tasks_goes_as_shown(tmp_path):
    play(Checkout(tmp_path), text_of(ROOT / "docs/custom_tasks.md"))
    assert len(load_questions(tmp_path / QUESTIONS)) == 2


@pytest.mark.slow
def test_help_and_list_show_every_name_and_the_readmes_count_them_right(tmp_path):
    checkout = Checkout(tmp_path)
    shown = checkout("make help ALL=1") + checkout("make list")
    names = (*TARGETS, *backbones(), *methods(), *hardware_profiles(), *task_names())
    assert [name for name in names if name not in shown] == []
    for text in (README, CHINESE):
        counts = re.findall(r"\[[^]\d]*(\d+)[^]\d]*\]\(docs/(?:zh/)?\w+\.md\)", text)
        assert counts == [str(len(backbones())), str(len(methods()))]


def commands_in(text: str) -> list[str]:
    """Return the lines of a page's code blocks, without their comments."""
    return [re.sub(r"\s+# .*", "", line) for line in "\n".join(blocks(text)).splitlines()]


def bare_of_tables(text: str) -> str:
    """Return a page without its generated tables: those of docs/ stand in the English page alone."""
    return re.sub(r"<!-- table:.*?<!-- end of table -->", "", text, flags=re.S)


def targets(page: Path) -> list[tuple[str, int]]:
    """Return (page, number of the heading in it) of every link to another page, whichever language it is in."""
    found = []
    for link in links(bare_of_tables(text_of(page))):
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve()
        if there.name.replace(".zh", "") != page.name.replace(".zh", ""):
            place = anchors(text_of(there)).index(anchor) if anchor else -1
            found.append((path if path.startswith("https:") else there.name, place))
    return sorted(found)


def test_both_readmes_say_the_same():
    assert commands_in(CHINESE) == commands_in(README)
    assert [depth for depth, _ in headings(CHINESE)] == [depth for depth, _ in headings(README)]
    assert targets(ROOT / "README.zh.md") == targets(ROOT / "README.md")
    for pattern in (r"^\|", r"\d[\d.,]*\d|\d", SPAN):  # rows of tables, figures, names of things
        assert sorted(re.findall(pattern, prose(CHINESE))) == sorted(re.findall(pattern, prose(README))), pattern


@pytest.mark.parametrize("chinese", sorted((ROOT / "docs/zh").glob("*.md")), ids=lambda page: page.name)
def test_a_chinese_page_follows_the_english_one(chinese):
    english = ROOT / "docs" / chinese.name
    ours, theirs = (bare_of_tables(text_of(page)) for page in (chinese, english))
    assert commands_in(ours) == commands_in(theirs)
    assert [depth for depth, _ in headings(ours)] == [depth for depth, _ in headings(theirs)]
    assert targets(chinese) == targets(english)
    assert len(re.findall(r"^\|", prose(ours), re.M)) == len(re.findall(r"^\|", prose(theirs), re.M))


def test_every_page_is_there_in_chinese():
    assert {page.name for page in (ROOT / "docs").glob("*.md")} == {
        page.name for page in (ROOT / "docs/zh").glob("*.md")
    }


def test_every_page_and_every_target_is_named_in_the_readme():
    assert [page.name for page in DOCUMENTS[2:] if f"docs/{page.name}" not in README] == []
    named = {command.program.removeprefix("make ") for command in commands(ROOT / "README.md")}
    assert TARGETS - named == {"bench", "check"}
