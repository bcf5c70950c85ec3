"""Conversations as others write them (sharegpt's from/value, OpenAI's role/content) to one record. Pure."""

from typing import Any

from converters.task import Record, Skip

USER, ASSISTANT, SYSTEM = "user", "assistant", "system"
ROLES = {
    "human": USER, "user": USER, "prompter": USER,
    "gpt": ASSISTANT, "assistant": ASSISTANT, "bot": ASSISTANT, "model": ASSISTANT, "chatgpt": ASSISTANT,
    "system": SYSTEM,
}  # fmt: skip


def turns(messages: Any) -> Record:
    """Return a conversation's last answer, what led to it, and its system prompt.

    Raises Skip for what cannot be trained on: other roles, two of a kind in a row, no answer at the end.
    """
    if not isinstance(messages, list) or not messages:
        raise Skip("columns", f"the conversation is {type(messages).__name__ if messages != [] else 'empty'}")
    said = [_message(message) for message in messages]
    system = "\n".join(content for role, content in said if role == SYSTEM)
    spoken = [(role, content) for role, content in said if role != SYSTEM]
    while spoken and spoken[0][0] == ASSISTANT:  # a greeting before anything was asked
        spoken = spoken[1:]
    if len(spoken) < 2:
        raise Skip("empty", "no question and answer in the conversation")
    for number, (role, _) in enumerate(spoken):
        if role != (USER, ASSISTANT)[number % 2]:
            raise Skip("columns", f"turn {number + 1} is {role}'s; user and assistant must take turns")
    if len(spoken) % 2:
        raise Skip("columns", "the conversation does not end with an answer")
    pairs = [(spoken[i][1], spoken[i + 1][1]) for i in range(0, len(spoken), 2)]
    return Record(pairs[-1][0], "", pairs[-1][1], system=system, history=pairs[:-1])


def _message(message: Any) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise Skip("columns", f"a message is {type(message).__name__}, not an object")
    role = message.get("from", message.get("role"))
    content = message.get("value", message.get("content"))
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise Skip("columns", f"unknown role {role!r}")
    if not isinstance(content, str):
        raise Skip("columns", f"a message's content is {type(content).__name__}, not text")
    return ROLES[role.lower()], content
