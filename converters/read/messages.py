"""Conversations, whichever way they are written: their messages, their turns, and the record that they make."""

import re
from pathlib import Path
from typing import Any

from common.yaml_files import read_yaml
from converters.task import Record, Skip, read_literal

USER, ASSISTANT, SYSTEM = "user", "assistant", "system"
NAMES = read_yaml(Path(__file__).with_name("messages.yaml"))
ROLES = {name: role for role, names in NAMES["roles"].items() for name in names}
TOOLS, TURN_KEYS, ASKED, TOLD = (NAMES[kind] for kind in ("tools", "turn", "asked", "told"))
TRANSCRIPT = re.compile(r"(?:^|\n)\s*(?:#+\s*)?(Human|User|Assistant)\s*:[^\S\n]*")

Said = list[tuple[str, str]]
"""(role, text) of each message."""


def messages_in(conversation: Any) -> Said:
    """Return the messages of a conversation, whichever way it is written.

    Known are sharegpt's from/value, OpenAI's role/content (with parts), objects with a question and its answer each
    (Firefly, xtuner), pairs, texts in turn, and a transcript (Human: ... Assistant: ...). Skip for what is none.
    """
    if isinstance(conversation, str):
        parts = TRANSCRIPT.split(conversation)
        if len(parts) > 2 and not parts[0].strip():
            return [(ROLES[who.lower()], what.strip()) for who, what in zip(parts[1::2], parts[2::2], strict=True)]
        conversation = read_literal(conversation) or conversation
    if not isinstance(conversation, list) or not conversation:
        raise Skip("columns", f"the conversation is {type(conversation).__name__ if conversation != [] else 'empty'}")
    if all(isinstance(message, str) for message in conversation):
        return [((USER, ASSISTANT)[number % 2], text) for number, text in enumerate(conversation)]
    return [said for message in conversation for said in _said(message)]


def _said(message: Any) -> Said:
    if isinstance(message, list) and len(message) == 2:
        return [(USER, _content(message[0])), (ASSISTANT, _content(message[1]))]
    if not isinstance(message, dict):
        raise Skip("columns", f"a message is {type(message).__name__}, not an object")
    if not any(key in message for key in TURN_KEYS):
        asked = next((key for key in ASKED if key in message), "")
        told = next((key for key in TOLD if key in message), "")
        if not asked or not told:
            raise Skip("columns", f"a turn with {', '.join(map(str, message)) or 'nothing'}")
        before: Said = [(SYSTEM, _content(message["system"]))] if message.get("system") else []
        return [*before, (USER, _content(message[asked])), (ASSISTANT, _content(message[told]))]
    role = message.get("from", message.get("role"))
    if (isinstance(role, str) and role.lower() in TOOLS) or message.get("tool_calls"):
        raise Skip("columns", f"a tool call ({role}): tool use cannot be trained on from here")
    if message.get("weight") == 0:
        raise Skip("columns", f"a message of weight 0 ({role}): parts that are not to be learned cannot be kept apart")
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise Skip("columns", f"unknown role {role!r}")
    return [(ROLES[role.lower()], _content(message.get("value", message.get("content"))))]


def _content(content: Any) -> str:
    if isinstance(content, list):
        parts = [part if isinstance(part, dict) else {"type": "text", "text": part} for part in content]
        if other := [part for part in parts if part.get("type") != "text" or not isinstance(part.get("text"), str)]:
            raise Skip("columns", f"a message with a part of type {other[0].get('type')}: only text is trained on")
        return "\n".join(part["text"] for part in parts)
    if not isinstance(content, str):
        raise Skip("columns", f"a message's content is {type(content).__name__}, not text")
    return content


def in_turns(said: Said) -> Said:
    """Return (question, answer) of each turn; Skip when user and assistant do not take turns to the end."""
    for number, (role, _) in enumerate(said):
        if role != (USER, ASSISTANT)[number % 2]:
            raise Skip("columns", f"turn {number + 1} is {role}'s; user and assistant must take turns")
    if len(said) % 2:
        raise Skip("columns", "the conversation does not end with an answer")
    return [(said[i][1], said[i + 1][1]) for i in range(0, len(said), 2)]


def last_turn(said: Said) -> Record:
    """Return a conversation's last answer, what led to it, and its system prompt."""
    spoken = [(role, content) for role, content in said if role != SYSTEM]
    while spoken and spoken[0][0] == ASSISTANT:  # a greeting before anything was asked
        spoken = spoken[1:]
    if len(spoken) < 2:
        raise Skip("empty", "no question and answer in the conversation")
    *history, (asked, told) = in_turns(spoken)
    system = "\n".join(content for role, content in said if role == SYSTEM)
    return Record(asked, "", told, system=system, history=history)
