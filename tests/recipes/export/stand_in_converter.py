"""Stands where llama.cpp has its convert_hf_to_gguf.py: the same words on the command line, a GGUF without weights.

MISTAKE in the environment makes it do what the real one did with exports of transformers 5: leave the scores out.
"""

import argparse
import json
import os
from pathlib import Path

from gguf import GGUFWriter, TokenType

arguments = argparse.ArgumentParser()
arguments.add_argument("folder", type=Path)
arguments.add_argument("--outtype")
arguments.add_argument("--outfile")
given = arguments.parse_args()

vocabulary = json.loads((given.folder / "tokenizer.json").read_text(encoding="utf-8"))
config = json.loads((given.folder / "tokenizer_config.json").read_text(encoding="utf-8"))
ids = vocabulary["model"]["vocab"] | {token["content"]: token["id"] for token in vocabulary["added_tokens"]}
tokens = sorted(ids, key=ids.__getitem__)
added = {token["content"] for token in vocabulary["added_tokens"]}
if not (given.folder / "tokenizer.model").is_file() or os.environ.get("MISTAKE"):
    scores = [-1000.0] * len(tokens)
else:
    scores = [-float(i) for i in range(len(tokens))]

writer = GGUFWriter(given.outfile, "llama")
writer.add_tokenizer_model("llama")
writer.add_token_list(tokens)
writer.add_token_scores(scores)
writer.add_token_types([TokenType.CONTROL if token in added else TokenType.NORMAL for token in tokens])
writer.add_eos_token_id(ids[config["eos_token"]])
writer.add_add_bos_token(config.get("add_bos_token", True))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
