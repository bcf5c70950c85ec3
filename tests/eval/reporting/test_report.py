"""The report's formats, from a sweep's own folders: what is in them, what is not, and what the author keeps."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from jinja2 import Environment, meta

from common.errors import UserError
from common.files import read_json, write_json
from eval.reporting import author, write
from eval.reporting.content import cut, escape
from eval.reporting.experiment import RunFacts, loss_against
from eval.reporting.language import Language
from eval.result.wording import FILTERS
from tests.endpoint import Endpoint
from tests.eval.commands.test_judge import eval_command
from tests.eval.reporting.sample import heldout, make_run, make_sweep

pytestmark = pytest.mark.slow

SECTIONS = ["Research topic", "Experiment design", "Code implementation", "Result analysis", "Conclusion"]
REPORT = Path("runs/reports/rank")


def longer_wins(body: dict, number: int) -> str:
    """A judge that likes length, and on some pairs whichever stands first."""
    first, second = re.findall(r"begin Assistant \d\n(.*?)\n==", body["messages"][0]["content"], re.DOTALL)
    word = "worse than" if len(second) > len(first) and (len(first) + len(second)) % 3 else "better than"
    return f"The longer one names the causes.\n\nAssistant 1 is {word} Assistant 2"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two working directories, made once: a small sweep, and one on English and Chinese questions with two judges.

    The second has its report, with all cases, in English (runs/reports/rank) and in Chinese (runs/reports/zh).
    """
    place, endpoint = tmp_path_factory.mktemp("made"), Endpoint()
    endpoint.behaviour = longer_wins
    judges = ("reference", f"gpt-x@{endpoint.url}")
    with pytest.MonkeyPatch.context() as patch:
        for name, asked in {"small": (), "large": (judges, ("medical_en", "law_zh"))}.items():
            (place / name).mkdir()
            patch.chdir(place / name)
            make_sweep(*asked)
        patch.setattr(write, "ENGINES", ())
        told = report("--sweep", "rank", "--cases", "20")
        Path("runs/reports/told.txt").write_text(told, encoding="utf-8")
        Path("runs/reports/zh").mkdir()
        Path("runs/reports/zh/words.md").write_text(
            "# Conclusion\nIt pays.\n# 研究主题\n秩的大小。\n", encoding="utf-8"
        )
        report("--sweep", "rank", "--language", "zh", "--name", "zh")
    endpoint.stop()
    return place


@pytest.fixture
def small(made: Path, workplace: Path) -> None:
    shutil.copytree(made / "small", workplace, dirs_exist_ok=True)


@pytest.fixture
def judged(made: Path, workplace: Path) -> None:
    shutil.copytree(made / "large", workplace, dirs_exist_ok=True)


@pytest.fixture
def no_tex(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without TeX: the PDF is the slowest part, and one test is of it."""
    monkeypatch.setattr(write, "ENGINES", ())


def report(*words: str) -> str:
    done = eval_command("report", *(words or ("--sweep", "rank")))
    assert done.exit_code == 0
    return done.output


def test_it_has_the_assignments_sections_and_only_measured_figures(judged: None) -> None:
    output = Path("runs/reports/told.txt").read_text(encoding="utf-8")
    text = (REPORT / "report.md").read_text(encoding="utf-8")
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert found == [*SECTIONS, "Acknowledgement", "Appendix A: Reproducibility", "Appendix B: More cases"]
    assert "2 of 8 runs have no result" in output
    assert "medical_en-lora_rank-256 (failed: CUDA out of memory, 100% of_it)" in text.replace("\\", "")
    for run in ("lora-baseline", "lora-lora_rank-4"):
        facts = read_json(Path("runs/law_zh/m-1b", run, "heldout.json"))
        assert f"{facts['tuned']['loss']:.3f}" in text
        metrics = read_json(Path("runs/law_zh/m-1b", run, "metrics.json"))
        for row in metrics["comparisons"]:
            counts = (row["wins"], row["ties"], row["losses"])
            assert "/".join(map(str, counts if row["a"] == "tuned" else counts[::-1])) in text
    for words in (
        "make sweep SWEEP=rank.yaml",
        "0123456789ab",
        "Gained, law_zh",
        "The judge wavered",
        "llamafactory",
    ):
        assert words in text
    assert {path.name for path in (REPORT / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("curves", "wins", "sensitivity", "ranking") for kind in ("svg", "pdf")
    }
    assert all(f"figures/{name}.svg" in text for name in ("curves", "wins", "sensitivity", "ranking"))


def test_nothing_that_a_model_said_becomes_markup(judged: None) -> None:
    page = (REPORT / "report.html").read_text(encoding="utf-8")
    assert "alert(1)" in page
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page), "the page leans on other files"
    source = (REPORT / "report.tex").read_text(encoding="utf-8")
    assert r"\input{" not in source
    assert source.count(r"\end{document}") == 1
    assert source.rstrip().endswith(r"\end{document}")
    with zipfile.ZipFile(REPORT / "overleaf.zip") as packed:
        assert {"report.tex", "figures/curves.pdf"} <= set(packed.namelist())
        assert all(f"figures/{name}.pdf" in packed.namelist() for name in re.findall(r"figures/(\w+)\.pdf", source))


def test_the_same_files_give_the_same_report(judged: None, no_tex: None) -> None:
    names = ["report.md", "report.html", "report.tex", *(f"figures/{name}.svg" for name in ("curves", "wins"))]
    before = {name: (REPORT / name).read_bytes() for name in names}
    report("--sweep", "rank", "--cases", "20")
    assert {name: (REPORT / name).read_bytes() for name in names} == before


def test_what_the_author_wrote_stays_and_takes_the_placeholders_place(small: None, no_tex: None) -> None:
    output = report()
    assert "yours to write, in runs/reports/rank/words.md: Research topic" in output
    words = REPORT / "words.md"
    blank = words.read_text(encoding="utf-8")
    for heading in SECTIONS:
        blank = re.sub(
            rf"(# {heading}\n)<!--.*?-->", rf"\1My words on *{heading.lower()}*, 中文.", blank, flags=re.DOTALL
        )
    mine = blank.replace("# Authors\n", "# Authors\nA. Student\nB. Other\n").replace(
        "# Title\n", "# Title\nMine & yours\n"
    )
    words.write_text(mine, encoding="utf-8")
    assert "yours to write" not in report()
    assert words.read_text(encoding="utf-8") == mine
    text = (REPORT / "report.md").read_text(encoding="utf-8")
    assert "To be written by the author" not in text
    assert text.count("My words on *") == len(SECTIONS)
    assert text.startswith("# Mine & yours")
    assert r"\author{A. Student \and B. Other}" in (REPORT / "report.tex").read_text(encoding="utf-8")


def test_runs_without_a_sweep_and_one_that_was_never_judged(workplace: Path, no_tex: None) -> None:
    for name, gain in (("lora", 0.4), ("qlora", 0.3)):
        make_run(Path("runs/medical_en/m-1b", name), gain, 0.9)
    eval_command("judge", "--run", "runs/medical_en/m-1b/lora", "--judge", "reference")
    shutil.rmtree("runs/medical_en/m-1b/qlora/answers")
    Path("runs/medical_en/m-1b/qlora/questions.jsonl").unlink()
    output = report("--run", "runs/medical_en/m-1b/lora", "--run", "runs/medical_en/m-1b/qlora", "--name", "two")
    assert "runs/reports/two/report.md" in output
    text = Path("runs/reports/two/report.md").read_text(encoding="utf-8")
    assert "make run TASK=medical_en MODEL=m-1b METHOD=qlora" in text
    assert "| qlora" in text
    report("--task", "medical_en", "--model", "m-1b", "--method", "qlora")
    alone = Path("runs/reports/medical_en-m-1b-qlora/report.md").read_text(encoding="utf-8")
    assert "Case studies" not in alone
    assert "held-out loss" in alone


def test_several_sweeps_and_a_run_make_one_report_and_a_shared_run_is_told_once(small: None, no_tex: None) -> None:
    again = read_json(Path("runs/sweeps/rank/sweep.json"))
    shutil.copytree("runs/sweeps/rank", "runs/sweeps/other")
    write_json(
        Path("runs/sweeps/other/sweep.json"), again | {"name": "other", "runs": again["runs"][:2], "title": "Other"}
    )
    make_run(Path("runs/medical_en/m-1b/dora"), 0.45, 0.9)
    output = report("--sweep", "rank", "--sweep", "other", "--run", "runs/medical_en/m-1b/dora", "--name", "all")
    assert "1 of 7 runs have no result" in output
    text = Path("runs/reports/all/report.md").read_text(encoding="utf-8")
    losses = text.partition("Loss on the held-out rows")[0].rpartition("perplexity")[2]
    assert [line.split("|")[1].strip() for line in losses.splitlines()[2:] if line.startswith("|")] == [
        "rank: baseline",
        "rank: lora_rank-4",
        "rank: lora_rank-64",
        "dora",
    ]
    assert re.search(r"^\| other: lora_rank-4 +\| other: baseline +\|", text, re.MULTILINE)
    assert text.startswith("# Rank & file_1 / Other")


def test_a_run_whose_folder_is_gone_is_said_to_be(small: None, no_tex: None) -> None:
    shutil.rmtree("runs/medical_en/m-1b/lora-lora_rank-4")
    assert "2 of 4 runs have no result" in report()
    assert "runs/medical_en/m-1b/lora-lora_rank-4 is gone" in (REPORT / "report.md").read_text().replace("\\", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sweep", "rnak"], "there is no sweep 'rnak'"),
        (["--sweep", "rank", "--task", "law_en"], "a sweep has the names of its runs"),
        (["--run", "runs/medical_en"], "is no run"),
        (["--run", "runs/medical_en/m-1b/nothing"], "there is no run in"),
        (["--run", "runs/medical_en/m-1b/lora-baseline"], "has not been trained yet"),
        ([], "no run was named"),
    ],
)
def test_what_cannot_be_told_of(small: None, words: list[str], said: str) -> None:
    manifest = Path("runs/medical_en/m-1b/lora-baseline/manifest.json")
    write_json(manifest, read_json(manifest) | {"steps": {}})
    with pytest.raises(UserError, match=said):
        eval_command("report", *words)
    assert not Path("runs/reports").exists()


def test_a_sweep_of_which_nothing_is_done(small: None) -> None:
    shutil.rmtree("runs/sweeps/rank/state")
    with pytest.raises(UserError, match="no run of rank is done yet"):
        report()


def test_a_heading_that_has_no_place_is_an_error_and_nothing_is_lost(small: None, no_tex: None) -> None:
    words = REPORT / "words.md"
    words.parent.mkdir(parents=True)
    words.write_text("# Conclusoin\nIt pays.\n", encoding="utf-8")
    with pytest.raises(UserError, match="Conclusoin") as told:
        report()
    assert "Conclusion" in told.value.hint
    assert words.read_text() == "# Conclusoin\nIt pays.\n"


def test_comments_are_not_words() -> None:
    assert author.read(author.blank(Language("en")))["Research topic"] == ""
    assert author.read("# Title\n<!-- a\n# b -->\nMine\n## Not a heading of ours\n")["Title"].startswith("Mine")


def test_escaped_text_stays_on_one_line() -> None:
    assert escape("a\n# b\x00 | c") == r"a \# b \| c"


def test_a_long_text_ends_at_a_blank_and_chinese_takes_two_places() -> None:
    tell = Language("en")
    assert cut("one two three", 20, tell) == "one two three"
    assert cut("one two three four", 12, tell).startswith("one two … ")
    assert cut("好" * 30, 20, tell).startswith("好" * 10 + " … (30")


HAN = re.compile("[\u4e00-\u9fff]")


def test_the_chinese_report_says_the_same_and_its_words_stand_under_headings_of_either_language(judged: None) -> None:
    english = (REPORT / "report.md").read_text(encoding="utf-8")
    chinese = Path("runs/reports/zh/report.md").read_text(encoding="utf-8")
    assert "It pays." in chinese
    assert "秩的大小。" in chinese
    assert [line.count("|") for line in chinese.splitlines() if line.startswith("|")] == [
        line.count("|") for line in english.splitlines() if line.startswith("|")
    ]
    for heading in re.findall("^#+ (.+)$", chinese, re.MULTILINE)[1:]:
        assert HAN.search(heading), heading
    for line in re.findall("^[|] (.+) [|]$", chinese, re.MULTILINE):
        if ":--" not in line and line.split("|")[0].strip() in ("运行", "任务", "回答者", "评测者"):
            assert not re.search("[a-z]{4,} [a-z]{4,}", line), line
    assert 'lang="zh-Hans"' in Path("runs/reports/zh/report.html").read_text(encoding="utf-8")
    assert "提交前" in author.blank(Language("zh"))


def test_both_languages_have_every_sentence_over_the_same_facts() -> None:
    def variables(text: str) -> set[str]:
        environment = Environment(autoescape=True)
        environment.filters |= FILTERS | {"names": str}
        return meta.find_undeclared_variables(environment.parse(text))

    english, chinese = Language("en").words, Language("zh").words
    assert list(english) == list(chinese)
    for key, said in english.items():
        if isinstance(said, str):
            assert variables(said) == variables(chinese[key]), key
        elif key != "terms":
            assert list(said) == list(chinese[key]), key
    with pytest.raises(UserError, match="no report in 'fr'"):
        Language("fr")


def test_it_begins_with_the_verdict_and_how_sure_it_is(small: None, no_tex: None) -> None:
    report()
    text = (REPORT / "report.md").read_text(encoding="utf-8").replace("\\", "")
    first = text.partition("## Research topic")[0]
    assert "Asked: Which rank?" in first
    assert "nearer to the reference answers than its base on 15 of 20 questions and farther on 5" in first
    assert "No judge has said which answer is better" in first
    assert "One seed only" in first


def test_words_that_cannot_be_read_are_one_error(small: None, no_tex: None) -> None:
    REPORT.mkdir(parents=True)
    (REPORT / "words.md").write_bytes("# 结论".encode("gbk"))
    with pytest.raises(UserError, match=r"words.md cannot be read"):
        report()


@pytest.mark.skipif(not shutil.which("xelatex"), reason="no XeLaTeX on this machine")
def test_the_latex_compiles_with_chinese_and_its_main_part_is_within_six_pages(judged: None, tmp_path: Path) -> None:
    report()
    assert (REPORT / "report.pdf").stat().st_size > 20_000
    place = tmp_path / "overleaf"
    with zipfile.ZipFile(REPORT / "overleaf.zip") as packed:
        packed.extractall(place)
    for _ in range(2):
        done = subprocess.run(
            ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
            cwd=place,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
    log = (place / "report.log").read_text(encoding="utf-8", errors="replace")
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(wide, default=0) < 40, "something runs into the margin"
    pages = re.search(
        r"newlabel\{reproducibility\}\{\{\w*\}\{(\d+)\}", (place / "report.aux").read_text(encoding="utf-8")
    )
    assert pages
    assert int(pages[1]) <= 7, "two tasks, eight runs: the main part should end on the sixth page"


def test_losses_of_other_tokens_are_no_difference() -> None:
    one, other = (RunFacts(str(gain), Path("x"), "t", "m", "lora", heldout=heldout(gain)) for gain in (0.3, 0.5))
    change = loss_against(other, one)
    assert change
    assert change["mean"] == pytest.approx(-0.2, abs=0.02)
    strange = RunFacts("s", Path("x"), "t", "m", "lora", heldout=heldout(0.5, tokens=[10] * 24))
    assert loss_against(strange, one) is None
