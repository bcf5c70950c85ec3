"""Write the report: one Markdown text, from which Pandoc makes the page, the LaTeX source and the plain Markdown."""

import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from common.errors import UserError
from common.files import atomic, write_text
from eval.reporting.content import escape
from eval.reporting.language import TEMPLATES

LANGUAGE_TAGS = {"en": "en", "zh": "zh-Hans"}
TEX_SECONDS = 240
TEX = "texlive-xetex texlive-lang-chinese texlive-latex-extra texlive-fonts-recommended latexmk"
"""What Debian and Ubuntu call the TeX that a report needs."""
ENGINES = (
    ["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
    ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
)
READ = "markdown-yaml_metadata_block-tex_math_single_backslash"


def write_all(folder: Path, text: str, title: str, authors: str, language: str = "en") -> list[Path]:
    """Write report.md, report.html, report.tex and overleaf.zip, and report.pdf where a TeX is installed."""
    names = "; ".join(filter(None, map(str.strip, authors.splitlines())))
    source = f"% {escape(title)}\n" + (f"% {names}\n" if names else "") + f"\n{text}"
    headed = f"# {escape(title)} {{-}}\n\n{authors}\n\n" + re.sub(r"^#", "##", text, flags=re.MULTILINE)
    made = [
        _convert(folder, headed, "report.md", "gfm", "--default-image-extension=svg", "--wrap=none"),
        _convert(
            folder, source, "report.html", "html5", "--standalone", "--embed-resources", "--toc", "--toc-depth=2",
            "--number-sections", "--default-image-extension=svg", f"--metadata=lang:{LANGUAGE_TAGS[language]}",
            f"--css={TEMPLATES / 'report.css'}", "--mathml",
        ),
        _convert(
            folder, source, "report.tex", "latex", f"--template={TEMPLATES / 'report.tex'}", "--number-sections",
            "--default-image-extension=pdf", *(["--variable=zh"] if language == "zh" else []),
            "--syntax-highlighting=none",
        ),
    ]  # fmt: skip
    with atomic(folder / "overleaf.zip") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for part in [folder / "report.tex", *sorted((folder / "figures").glob("*.pdf"))]:
            packed.write(part, part.relative_to(folder))
    pdf = folder / "report.pdf"
    pdf.unlink(missing_ok=True)
    _compile(folder, pdf)
    return [*made, folder / "overleaf.zip", *([pdf] if pdf.is_file() else [])]


def _convert(folder: Path, source: str, name: str, to: str, *options: str) -> Path:
    """Let Pandoc write one format; it looks for figures in `folder`."""
    import pypandoc

    # Wide enough that no column of a table is given a width of its own: each is as wide as its text.
    arguments = ["--columns=10000", f"--resource-path={folder}", *options]
    try:
        made = pypandoc.convert_text(source, to, format=READ, extra_args=arguments)
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"{name} could not be made; pandoc says: {str(error).strip()[-600:]}",
            f"if it is about your own words, correct them in {folder}/words.md",
        ) from None
    write_text(folder / name, made)
    return folder / name


def _compile(folder: Path, pdf: Path) -> None:
    """Compile the LaTeX source with the TeX that is installed; say so where there is none, or it fails."""
    command = next((engine for engine in ENGINES if shutil.which(engine[0]) and shutil.which("xelatex")), None)
    if command is None:
        print(
            "no report.pdf: no XeLaTeX is installed here; overleaf.zip compiles on Overleaf (compiler: XeLaTeX)\n"
            f"  next: apt install {TEX} makes it here"
        )
        return
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        shutil.copy(folder / "report.tex", place)
        shutil.copytree(folder / "figures", place / "figures", dirs_exist_ok=True)
        try:
            for _ in range(1 if command[0] == "latexmk" else 3):
                subprocess.run(
                    command, cwd=place, capture_output=True, stdin=subprocess.DEVNULL, timeout=TEX_SECONDS, check=True
                )
            with atomic(pdf) as file:
                file.write((place / "report.pdf").read_bytes())
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
            if (log := place / "report.log").exists():
                write_text(folder / "report.log", log.read_text(encoding="utf-8", errors="replace"))
            kept = f"its words are in {folder}/report.log (the other formats are whole)"
            print(f"no report.pdf: {command[0]} failed, {kept}")
