"""Why a record should not be trained on, one check after another. Pure functions."""

from converters.settings import Settings
from converters.task import Record, Task
from converters.text.language import sample, shares, wrong_language


def problem(record: Record, task: Task, settings: Settings) -> tuple[str, str] | None:
    """Return (step, reason) of the first check that a record fails, None when it passes all."""
    prompt, output = record.prompt, record.output
    if not prompt.strip():
        return "empty", "no question"
    if not output.strip():
        return "empty", "no answer"
    for told, text, least, most in (
        ("question", prompt, settings.min_prompt, settings.max_prompt),
        ("answer", output, settings.min_output, settings.max_output),
    ):
        if len(text) < least:
            return "length", f"{told} of {len(text)} characters, fewer than {least}"
        if most and len(text) > most:
            return "length", f"{told} of {len(text)} characters, more than {most}"
    looked_at = sample(prompt, output)
    if settings.language and (why := wrong_language(looked_at, shares(looked_at), task.language)):
        return "language", f"not {task.language}: {why}"
    return None
