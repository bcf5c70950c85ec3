"""What is made of nvidia-smi's words, /proc/cpuinfo, and the variables GPUS and NNODES."""

import os
import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from common.errors import UserError
from recipes.__main__ import main
from recipes.catalog import machine
from recipes.catalog.machine import nvidia_cards, resolve_hardware

T4 = "Tesla T4, 15360, 7.5"
H100 = "NVIDIA H100 80GB HBM3, 81559, 9.0"


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A nvidia-smi that prints the file `cards`; without that file it fails, as where the driver is broken."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f'#!/bin/sh\ncat "{tmp_path}/cards"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name in ("CUDA_VISIBLE_DEVICES", "GPUS", "NNODES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cards"


def test_a_card_is_taken_as_nvidia_smi_shows_it(smi: Path) -> None:
    smi.write_text(T4 + "\n")
    found, why = resolve_hardware("auto")
    assert (found.kind, found.compute_capability, found.devices) == ("cuda", 7.5, 1)
    assert 14 < found.memory_gb < 15
    assert "Tesla T4" in why


def test_all_cards_are_used_unless_gpus_says_fewer(smi: Path) -> None:
    smi.write_text(f"{H100}\n{H100}\n{H100}\n{H100}\n")
    assert resolve_hardware("auto")[0].devices == 4
    assert resolve_hardware("auto", 2)[0].devices == 2


def test_the_weakest_card_decides(smi: Path) -> None:
    smi.write_text(f"{H100}\n{T4}\n")
    found, _ = resolve_hardware("auto")
    assert found.compute_capability == 7.5
    assert found.memory_gb < 15


def test_more_cards_than_there_are_is_a_mistake(smi: Path) -> None:
    smi.write_text(f"{T4}\n")
    with pytest.raises(UserError, match="this machine has 1"):
        resolve_hardware("auto", 2)


@pytest.mark.parametrize("value", ["two", "0", "-1", "1.5"])
def test_gpus_must_be_a_whole_number(value: str, smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUS", value)
    done = CliRunner().invoke(main, ["plan", "--task", "law_zh", "--model", "qwen3-8b"])
    assert done.exit_code == 2
    assert re.search("--gpus.*(is not a valid integer range|x>=1)", done.output)


def test_visible_devices_are_respected(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi.write_text(f"{H100}\n{T4}\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert [name for name, _, _ in nvidia_cards()] == ["Tesla T4"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert nvidia_cards() == []


def test_a_broken_driver_means_the_cpu(smi: Path) -> None:
    found, why = resolve_hardware("auto")
    assert found.kind == "cpu"
    assert found.memory_gb > 0
    assert "no GPU was found" in why


def test_processes_on_one_cpu_share_its_memory(smi: Path) -> None:
    alone = resolve_hardware("auto")[0].memory_gb
    assert resolve_hardware("auto", 2)[0].memory_gb == pytest.approx(alone / 2)


def test_a_named_profile_is_taken_whatever_the_machine_has(smi: Path) -> None:
    found, why = resolve_hardware("80gb", 4, 2)
    assert (found.devices, found.nodes) == (4, 2)
    assert "was asked for" in why


@pytest.mark.parametrize(("flags", "real"), [("avx2 avx512f", False), ("avx512_bf16", True), ("amx_bf16", True)])
def test_bfloat16_of_a_cpu_is_read_from_its_flags(flags: str, real: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    monkeypatch.setattr(machine.Path, "read_text", lambda *_, **__: f"flags : fpu {flags} sse")
    assert machine.cpu_has_bf16() is real


def test_packages_are_found_without_importing_them() -> None:
    assert machine.installed(("yaml", "surely_not_installed")) == ("yaml",)
