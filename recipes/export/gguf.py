"""An exported model as one GGUF file for llama.cpp and Ollama, with the Modelfile beside it.

llama.cpp's own converter does it, from a checkout that LLAMA_CPP names: no maintained package on PyPI holds it (`gguf`
has the file format only). Finished files lie in RUN/gguf/KIND/, which appears whole or not at all.
"""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError, run_cli, unknown
from common.files import write_text
from common.process import only_one
from common.yaml_files import read_yaml
from recipes.export.finish import adds_first, load_tokenizer, modelfile_of
from recipes.llamafactory.chat_format import ChatFormat, format_of
from recipes.llamafactory.launch import watched
from recipes.recipe import Recipe

CONVERTED = ("f32", "f16", "bf16", "q8_0")
"""What the converter writes by itself."""
QUANTIZED = ("q2_k", "q3_k_m", "q4_0", "q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m", "q6_k")
"""What takes llama.cpp's llama-quantize, a compiled program."""
CONVERTER = "convert_hf_to_gguf.py"
CURE = "if it does not know this model, a newer llama.cpp may (git pull); what was exported is not touched"
WHOLE = (2, 3, 4)
"""GGUF token types that are never cut: unknown, control, user-defined."""


def check_kind(kind: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Check, before anything costs time, that this kind can be made here; return llama.cpp's folder."""
    if kind not in (*CONVERTED, *QUANTIZED):
        raise unknown("GGUF", kind, (*CONVERTED, *QUANTIZED), "make export ... GGUF=q8_0")
    named = environment.get("LLAMA_CPP", "").strip()
    folder = Path(named).expanduser()
    if not named or not (folder / CONVERTER).is_file():
        what = f"LLAMA_CPP={named} holds no {CONVERTER}" if named else f"GGUF={kind} takes llama.cpp's converter"
        clone = (
            "git clone --depth 1 https://github.com/ggml-org/llama.cpp, then LLAMA_CPP=llama.cpp in the same command"
        )
        raise UserError(what, clone)
    if kind in QUANTIZED and not quantizer(folder):
        raise UserError(
            f"GGUF={kind} takes llama.cpp's llama-quantize, which is neither in {folder}/build/bin nor on the PATH",
            f"GGUF=f16, then let Ollama do it: ollama create my-model --quantize {kind.upper()} -f Modelfile",
        )
    return folder


def quantizer(folder: Path) -> str | None:
    """Return the path of llama-quantize."""
    built = folder / "build" / "bin" / "llama-quantize"
    return str(built) if built.is_file() else shutil.which("llama-quantize")


def export_gguf(recipe: Recipe, kind: str) -> Path:
    """Convert RUN/export into RUN/gguf/KIND/model.gguf with its Modelfile; do nothing when that is there already."""
    llama_cpp, folder = check_kind(kind), Path(recipe.folder)
    target, unfinished = folder / "gguf" / kind, folder / "gguf" / f".{kind}.part"
    with only_one(folder):
        if target.is_dir():
            print(f"converted already: {target}/model.gguf")
            return target
        began = time.monotonic()
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        first = kind if kind in CONVERTED else "f16"
        raw = unfinished / ("model.gguf" if first == kind else "f16.gguf")
        export = f"{folder}/export"
        convert = [sys.executable, str(llama_cpp / CONVERTER), export, "--outtype", first, "--outfile", str(raw)]
        log = folder / "logs" / "gguf.log"
        watched(f"converting to {first}", convert, log, CURE)
        if first != kind:
            program = str(quantizer(llama_cpp))
            quantize = [program, str(raw), str(unfinished / "model.gguf"), kind.upper()]
            watched(f"quantizing to {kind}", quantize, log, CURE)
            raw.unlink()
        check = [sys.executable, "-m", "recipes.export.gguf", f"{folder}/export.yaml", str(unfinished)]
        watched("checking it", check, log, CURE)
        unfinished.rename(target)
        size = (target / "model.gguf").stat().st_size / 1e9
        print(f"converted: {target}/model.gguf ({kind}, {size:.2f} GB, {time.monotonic() - began:.0f} s)")
        print(f"  next: cd {target} && ollama create my-model -f Modelfile")
    return target


def read_facts(path: Path) -> dict[str, Any]:
    """Return what a GGUF file says of its tokenizer."""
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    names = ("model", "tokens", "scores", "token_type", "eos_token_id", "add_bos_token")
    return {name: field.contents() for name in names if (field := fields.get(f"tokenizer.ggml.{name}"))}


def problems(facts: dict[str, Any], tokenizer: Any, form: ChatFormat) -> list[str]:
    """Return where llama.cpp would read a prompt as other tokens than the model was trained on."""
    found = []
    if facts.get("eos_token_id") != tokenizer.eos_token_id:
        found.append(f"it ends at token {facts.get('eos_token_id')}, the model at {tokenizer.eos_token_id}")
    text = form.begin + form.system + form.user + form.assistant + "".join(form.stops)
    for number, token in sorted(tokenizer.added_tokens_decoder.items()):
        if token.content not in text:
            continue
        if facts["tokens"][number] != token.content:
            found.append(f"token {number} is {facts['tokens'][number]!r} instead of {token.content!r}")
        elif facts["token_type"][number] not in WHOLE:
            found.append(f"{token.content!r} would be cut into pieces")
    of_sentencepiece = facts["model"] == "llama"
    if of_sentencepiece and len(set(facts["scores"][-1000:])) == 1:
        found.append("the scores of its sentencepiece tokens are missing: the backbone's tokenizer.model was not found")
    begins = facts.get("add_bos_token", of_sentencepiece)
    if tokenizer.bos_token and begins != adds_first(tokenizer):
        found.append(f"it {'puts' if begins else 'does not put'} {tokenizer.bos_token} before every text")
    return found


def check(yaml_file: str, made: str) -> None:
    """Hold the GGUF against the exported tokenizer and write its Modelfile, in a process of its own."""
    settings = read_yaml(Path(yaml_file))
    export = Path(settings["export_dir"])
    tokenizer = load_tokenizer(export)
    form = format_of(settings, tokenizer)
    if found := problems(read_facts(Path(made) / "model.gguf"), tokenizer, form):
        raise UserError(
            f"the GGUF is not what was trained: {'; '.join(found)}", "a newer llama.cpp, or export without it"
        )
    write_text(Path(made) / "Modelfile", modelfile_of(export, tokenizer, form, "./model.gguf"))


if __name__ == "__main__":
    run_cli(lambda: check(*sys.argv[1:]))
