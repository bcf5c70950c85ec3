"""`python -m recipes.export.generates FOLDER`: load a model as any program would and let it answer once.

Ends with status 1 and a reason when the folder cannot be loaded, computes nonsense (infinite or not-a-number logits)
or says nothing. A process of its own, so that its memory is free again.
"""

import sys
from typing import Any

PROMPT = "Hello! / 你好！"
TOKENS = 16


def problem_with(folder: str) -> str:
    """Return what is wrong with the model in `folder`, "" when it generates."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype="auto").eval()
    asked: Any = [{"role": "user", "content": PROMPT}] if tokenizer.chat_template else PROMPT
    encode: Any = tokenizer.apply_chat_template if tokenizer.chat_template else tokenizer
    options = {"add_generation_prompt": True, "return_dict": True} if tokenizer.chat_template else {}
    ids = encode(asked, return_tensors="pt", **options)["input_ids"]
    with torch.inference_mode():
        logits = model(input_ids=ids).logits
        if not torch.isfinite(logits).all():
            return "its logits are not finite numbers"
        answer = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False)
    new = answer[0][ids.shape[1] :]
    print(f"answers {tokenizer.decode(new)!r} to {PROMPT!r}")
    return "" if len(new) else "it generates nothing"


if __name__ == "__main__":
    found = problem_with(sys.argv[1])
    sys.exit(found or 0)
