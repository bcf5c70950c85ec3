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


A100 = "NVIDIA A100-SXM4-40GB, 40960, 8.0"
LISTED = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa1111-22)
  MIG 3g.20gb     Device  0: (UUID: MIG-bbbb-1)
  MIG 1g.5gb      Device  1: (UUID: MIG-cccc-2)
GPU 1: Tesla T4 (UUID: GPU-dddd4444-55)
"""


def listing(smi: Path, text: str) -> None:
    """Give the tool an answer to -L too."""
    smi.with_name("listed").write_text(text)
    smi.with_name("nvidia-smi").write_text(
        f'#!/bin/sh\n[ "$1" = -L ] && exec cat "{smi.with_name("listed")}"\ncat "{smi}"\n'
    )


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, [("NVIDIA A100-SXM4-40GB (MIG slice)", 19.0)]),
        ("MIG-cccc", [("NVIDIA A100-SXM4-40GB (MIG slice)", 4.75)]),
        ("GPU-dddd", [("Tesla T4", 15.0)]),
        ("1", [("NVIDIA A100-SXM4-40GB (MIG slice)", 4.75)]),
        ("-1", []),
        ("", []),
    ],
)
def test_cards_and_slices_are_found_by_their_uuid(
    visible: str | None, seen: list[tuple[str, float]], smi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi.write_text(f"{A100}\n{T4}\n")
    listing(smi, LISTED)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [(name, memory) for name, memory, _ in nvidia_cards()] == seen


def test_a_uuid_that_is_not_here_is_told(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi.write_text(f"{T4}\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-9999")
    with pytest.raises(UserError, match="there is no GPU-9999 here"):
        resolve_hardware("auto")


def test_what_nvidia_smi_does_not_say(smi: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smi.write_text("NVIDIA GB10, [N/A], 12.1\n")  # CPU and GPU have one memory
    assert resolve_hardware("auto")[0].memory_gb == pytest.approx(machine.ram_gb() * machine.USABLE)
    for line, said in {
        "Tesla K80, 11441, [N/A]": "compute capability of Tesla K80",
        "NVIDIA A100, [Insufficient Permissions], 8.0": "memory of NVIDIA A100",
        'Field "compute_cap" is not a valid field to query.': "driver here is too old",
    }.items():
        smi.write_text(line + "\n")
        machine._answer.cache_clear()
        with pytest.raises(UserError, match=said):
            resolve_hardware("auto")
    smi.write_text(f"{T4}\nUnable to determine the device handle for GPU 0000:41:00.0: Unknown Error\n")
    machine._answer.cache_clear()
    assert resolve_hardware("auto")[0].devices == 1
    assert "that card is not counted" in capsys.readouterr().err
    smi.write_text("No devices were found\n")
    machine._answer.cache_clear()
    assert resolve_hardware("auto")[0].kind == "cpu"


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
