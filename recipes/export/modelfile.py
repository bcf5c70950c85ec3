"""Ollama's Modelfile for an exported model: the chat format that it was trained in, as a Go template. Pure.

LLaMA-Factory writes a Modelfile too, and this one takes its place. Theirs puts a system message before the first
question where the format (Llama 2, Mistral, Gemma) has it inside, leaves out the empty thought that a model without
thinking was trained behind, and begins with the token that llama.cpp puts there once more.
"""

from common.errors import UserError
from recipes.llamafactory.chat_format import CONTENT, ChatFormat

CONTEXT = 4096
"""Tokens that Ollama makes room for: more costs memory, and `PARAMETER num_ctx` is easily changed."""


def go_template(form: ChatFormat, adds_first: bool) -> str:
    """Write the format as Ollama's templates are written; `adds_first`: the begin token is put there by itself."""
    begin, first = _go(form.begin), _go(form.first_token)
    system, user = _around(form.system, "{{ .System }}"), _around(form.user, "{{ .Content }}")
    later = ""
    if adds_first and first and begin.startswith(first):
        begin = begin.removeprefix(first)
    elif adds_first and first and not begin and user.startswith(first):  # Llama 2: before each question
        user = "{{ if $later }}" + first + "{{ end }}{{ $later = true }}" + user.removeprefix(first)
        later = "{{ $later := false }}"
        if system.startswith(first):
            system = "{{ $later = true }}" + system.removeprefix(first)
    if form.system_in_question:
        inside = "{{ if $system }}" + _around(form.system, "{{ $system }}") + '{{ $system = "" }}{{ end }}'
        user = user.replace("{{ .Content }}", inside + "{{ .Content }}")
        head = later + "{{ $system := .System }}"
    else:
        head = later + "{{ if .System }}" + system + "{{ end }}"
    return (
        f'{begin}{head}{{{{ range .Messages }}}}{{{{ if eq .Role "user" }}}}{user}'
        f'{{{{ else if eq .Role "assistant" }}}}{_around(form.assistant, "{{ .Content }}")}{{{{ end }}}}{{{{ end }}}}'
    )


def _around(pattern: str, content: str) -> str:
    return content.join(_go(part) for part in pattern.split(CONTENT))


def _go(text: str) -> str:
    """Write text so that a Go template gives it as it is."""
    return text.replace("{{", '{{ "{{" }}')


def modelfile(form: ChatFormat, source: str, adds_first: bool, context: int = CONTEXT) -> str:
    """Return the Modelfile of the model in `source` (a GGUF file, or "." for the folder that it lies in)."""
    template = go_template(form, adds_first)
    if '"""' in template + form.default_system:
        raise UserError(
            'the chat format holds """, which a Modelfile cannot', "export without GGUF, serve it otherwise"
        )
    lines = [f"FROM {source}", f'TEMPLATE """{template}"""']
    lines += [f'SYSTEM """{form.default_system}"""'] if form.default_system else []
    lines += [f'PARAMETER stop "{stop}"' for stop in form.stops]
    lines += [f"PARAMETER num_ctx {min(context or CONTEXT, CONTEXT)}"]
    return "# The chat format is the one that the model was trained in.\n" + "\n".join(lines) + "\n"
