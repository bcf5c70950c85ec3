"""The Dockerfile as far as it can be held without a registry of images: what it copies, installs and runs is there."""

import re
import subprocess

from tests.checkout import ROOT
from tests.document_commands import TARGETS

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_its_commands_are_targets_of_make():
    named = {*re.findall(r"make ([a-z-]+)", TEXT), *re.findall(r'"make", "([a-z-]+)"', TEXT)} - {"ca-certificates"}
    assert {"setup", "list", "help", "demo"} <= named
    assert named <= TARGETS


def test_what_is_made_stays_out_of_the_image_and_in_the_mounted_folders():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for folder in ("data", "models", "runs"):
        assert folder in ignored
        assert f"/whetstone/{folder}" in TEXT
    assert ".venv" in ignored


def test_its_steps_are_whole():
    steps = re.findall(r"^(FROM|ENV|RUN|WORKDIR|COPY|CMD)\b", TEXT, re.M)
    assert steps[0] == "FROM"
    assert steps[-1] == "CMD"
    for script in re.findall(r"^RUN ((?:.*\\\n)*.*)$", TEXT, re.M):
        assert subprocess.run(["sh", "-n", "-c", script.replace("\\\n", "")], check=False).returncode == 0
