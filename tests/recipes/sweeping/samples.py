"""Runs and sweep files that several tests begin with."""

from common.sweep_files import Run
from recipes.sweeping.planning.sweep_file import read


def sweep_file(**content):
    return read({"task": "medical_en", "model": "smollm2-135m", **content}, {}, "s.yaml")


def run_of(number, devices=0, **fields):
    name = f"r{number}"
    known = {
        "id": name, "name": name, "contestant": name, "base": "base", "folder": f"runs/medical_en/m/lora-{number}",
        "task": "medical_en", "model": "m", "method": "lora", "variant": str(number), "devices": devices,
    }  # fmt: skip
    return Run(**known | fields)
