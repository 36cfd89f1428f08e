import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts import bootstrap

ROOT = Path(__file__).resolve().parents[2]

# What sends pip's packages elsewhere or nowhere, and Python to other ones.
PIPS = {"prefix": "elsewhere", "root": "elsewhere", "dry-run": "1", "require-virtualenv": "1", "only-binary": ":none:"}
PIPS |= {"constraint": "elsewhere/none.txt", "quiet": "3", "python": "python2", "no-deps": "0", "report": "elsewhere"}
PYTHONS = {"PATH": "shadow", "SAFEPATH": "1", "NOUSERSITE": "1", "IOENCODING": "ascii", "WARNINGS": "error"}
ELSEWHERE = {bootstrap._variable(name): value for name, value in PIPS.items()}
ELSEWHERE |= {f"PYTHON{name}": value for name, value in PYTHONS.items()}


def write_wheel(folder: Path, name: str, text: str) -> str:
    """Write the smallest wheel that pip installs; returns its sha256."""
    info = f"{name}-1.0.dist-info"
    members = {
        f"{name}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = []
    for member, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{member},sha256={digest},{len(content)}\n")
    members[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Place:
    """A lock of one package that only pip's own configuration knows where to find."""

    folder: Path

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    @property
    def stamp(self) -> Path:
        return self.venv / bootstrap.STAMP

    def lock(self, digest: str, comment: str = "", package: str = "tiny", lock: str = "requirements.lock") -> None:
        text = f"# {comment}\n{package}==1.0 \\\n    --hash=sha256:{digest}\n"
        (self.folder / lock).write_text(text)

    def run(self, python: str = sys.executable, *options: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        return subprocess.run(
            [python, str(ROOT / "scripts" / "bootstrap.py"), *options],
            cwd=self.folder,
            env={**clean, **ELSEWHERE, "PIP_CONFIG_FILE": str(self.folder / "pip.conf")},
            capture_output=True,
            text=True,
            check=False,
        )

    def imports(self, module: str) -> bool:
        command = [str(self.venv / "bin" / "python"), "-c", f"import {module}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("clone")
    settings = f"[global]\nno-index = true\nfind-links = {folder}\ntarget = elsewhere\n[install]\nuser = true\n"
    (folder / "pip.conf").write_text(settings)
    (folder / "shadow" / "tiny-1.0.dist-info").mkdir(parents=True)
    (folder / "shadow" / "venv.py").write_text("raise SystemExit('not this one')")
    place = Place(folder)
    place.lock(write_wheel(folder, "tiny", "answer = 42\n"))
    made = place.run()
    assert made.returncode == 0, made.stderr
    return place


def test_the_environment_holds_what_the_lock_says_from_where_pip_is_told_to_look(place: Place) -> None:
    assert place.imports("tiny")


def test_no_setting_of_pips_or_pythons_sends_its_packages_elsewhere(place: Place) -> None:
    assert (place.venv / "lib").exists()
    assert not (place.folder / "elsewhere").exists()
    assert len(list(place.venv.glob("lib/python3*/site-packages/tiny-1.0.dist-info"))) == 1


def test_an_environment_that_lacks_a_package_counts_as_none_whatever_its_stamp_says(place: Place) -> None:
    lock = place.folder / "more.lock"
    lock.write_text("Tiny==1.0 \\\n    --hash=sha256:00\nno_where==2.0 ; sys_platform == 'win32' \\\ngone==2.0\n")
    assert bootstrap._lacking(place.venv, lock) == ["gone 2.0"]
    packages = next(place.venv.glob("lib/python3*/site-packages"))
    (packages / "gone-2.0-py3.11.egg-info").mkdir()  # what Debian's pip 23.0 leaves of a package that has no wheel
    assert bootstrap._lacking(place.venv, lock) == []
    (packages / "gone-2.0-py3.11.egg-info").rmdir()


def test_a_mirror_its_certificate_and_a_proxy_are_handed_on_by_whatever_way_they_are_set(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = place.folder / "mirror.conf"
    settings.write_text(
        "[global]\nquiet = 2\nindex-url = https://me:it@one/simple\nproxy = http://proxy:3128\ntarget = /else\n"
        "[install]\nindex-url = https://two/simple\nextra-index-url =\n  https://three\n  https://four\n"
    )
    for name, value in {**ELSEWHERE, "PIP_CONFIG_FILE": str(settings), "PIP_CERT": "/a b.pem"}.items():
        monkeypatch.setenv(name, value)
    for way in bootstrap.WAYS - {"cert"}:
        monkeypatch.delenv(bootstrap._variable(way), raising=False)
    ways = bootstrap._environment(place.venv)
    assert ways["PIP_INDEX_URL"] == "https://two/simple"
    assert ways["PIP_EXTRA_INDEX_URL"].split() == ["https://three", "https://four"]
    assert (ways["PIP_PROXY"], ways["PIP_CERT"]) == ("http://proxy:3128", "/a b.pem")
    assert not ways.keys() & ELSEWHERE.keys()
    assert "PIP_TARGET" not in ways


def test_a_made_environment_is_left_alone_without_a_word(place: Place) -> None:
    before = place.stamp.stat().st_mtime_ns
    again = place.run()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert place.stamp.stat().st_mtime_ns == before


def test_development_tools_are_added_to_what_is_there_and_stay(place: Place) -> None:
    place.lock(write_wheel(place.folder, "tool", "answer = 6\n"), package="tool", lock="requirements-dev.lock")
    (place.venv / "leftover").touch()
    added = place.run(sys.executable, "--dev")
    assert added.returncode == 0, added.stderr
    assert "adding requirements-dev.lock" in added.stderr
    assert (place.venv / "leftover").exists()
    assert place.imports("tool")
    assert place.imports("tiny")
    for options in ([], ["--dev"]):
        assert place.run(sys.executable, *options).stderr == ""


@pytest.mark.slow
def test_a_changed_lock_of_tools_matters_to_who_asks_for_them_alone(place: Place) -> None:
    digest = write_wheel(place.folder, "tool", "answer = 7\n")
    place.lock(digest, package="tool", lock="requirements-dev.lock")
    assert place.run(sys.executable, "--dev").returncode == 0
    (place.venv / "leftover").touch()
    place.lock(digest, "changed", package="tool", lock="requirements-dev.lock")
    assert place.run().stderr == ""
    made = place.run(sys.executable, "--dev")
    assert "making" in made.stderr
    assert not (place.venv / "leftover").exists()
    assert place.imports("tool")
    assert place.imports("tiny")


@pytest.mark.slow
def test_a_half_made_environment_is_made_afresh_even_by_its_own_python(place: Place) -> None:
    place.stamp.unlink()
    leftover = place.venv / "leftover"
    leftover.touch()
    made = place.run(str(place.venv / "bin" / "python"))
    assert made.returncode == 0, made.stderr
    assert not leftover.exists()
    assert place.imports("tiny")


@pytest.mark.slow
def test_a_changed_lock_makes_the_environment_afresh(place: Place) -> None:
    before = place.stamp.read_text()
    place.lock(write_wheel(place.folder, "tiny", "answer = 43\n"), comment="changed")
    assert place.run().returncode == 0
    assert place.stamp.read_text() != before


@pytest.mark.slow
def test_a_package_with_other_bytes_than_the_lock_says_is_refused_in_pips_own_words(place: Place) -> None:
    place.lock("0" * 64)
    refused = place.run()
    assert refused.returncode == 2
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert bootstrap.LOG in refused.stderr
    assert not place.stamp.exists()


def test_a_python_without_venv_is_told_which_package_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    lock = tmp_path / "requirements.lock"
    lock.touch()
    assert bootstrap.main(["--venv", str(tmp_path / ".venv"), "--lock", str(lock)]) == 2
    assert f"apt-get install python3.{sys.version_info.minor}-venv" in capsys.readouterr().err
    assert not (tmp_path / ".venv").exists()


def test_a_missing_lock_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["--venv", str(tmp_path / ".venv"), "--lock", str(tmp_path / "none.lock")]) == 2
    assert "none.lock: no such file" in capsys.readouterr().err


def old_python(folder: Path) -> Path:
    python = folder / "python3"
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.10.1" && exit 0\nexit 1\n')
    python.chmod(0o755)
    return python


def test_an_interpreter_that_is_too_old_is_refused_by_name(tmp_path: Path) -> None:
    python = old_python(tmp_path)
    run = subprocess.run([ROOT / "scripts" / "bootstrap.sh", python], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert f"PYTHON={python}: Python 3.10.1; should be a Python 3.11, 3.12 or 3.13" in run.stderr


def test_a_machine_with_an_old_python_alone_is_told_how_to_name_another(tmp_path: Path) -> None:
    old_python(tmp_path)
    for tool in ("dirname", "head"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    clone = tmp_path / "clone"
    (clone / "scripts").mkdir(parents=True)
    script = clone / "scripts" / "bootstrap.sh"
    script.write_text((ROOT / "scripts" / "bootstrap.sh").read_text())
    run = subprocess.run(["/bin/sh", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "no Python 3.11, 3.12 or 3.13 on PATH (Python 3.10.1 is python3)" in run.stderr
    assert "make PYTHON=" in run.stderr


@pytest.mark.parametrize(
    ("folder", "starts"),
    [
        ("/a", True),
        ("/a b%20c&dü", True),
        ('/it\'s "so"?#', False),
        ("/it's-so?#", True),
        ("/a $HOME", False),
        ("/a`b`", True),
        ("/a:b", False),
        ("/two\nlines", False),
        ("/tab\tbed", False),
        ("/" + 120 * "a", True),
        ("/" + 120 * "ü", False),
        ("/a b" + 120 * "a", True),
    ],
)
def test_a_folder_under_whose_name_no_program_would_start_is_refused_before_anything_is_made(
    folder: str, starts: bool
) -> None:
    if starts:
        bootstrap._check_place(Path(folder) / ".venv" / "bin" / "python")
    else:
        with pytest.raises(bootstrap.BootstrapError, match="rename the folder"):
            bootstrap._check_place(Path(folder) / ".venv" / "bin" / "python")
