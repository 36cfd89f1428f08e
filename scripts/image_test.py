"""Builds the container images by buildah, as root and without a container engine, and tries what the docs promise.

The base image is made by debootstrap from the Debian mirror that this machine uses, so nothing is pulled from a
registry. Images and layers stay in --storage, so that a second run builds only what changed.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lock import pip_settings

ROOT = Path(__file__).resolve().parent.parent
BASE = "localhost/mnistgan-base"
IMAGE_USER = "10001:10001"
OTHER_USER = "23456:23456"
DEBIAN = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs")
WAIT_SECONDS = 120.0
SECTIONS = ("cert", "index-url", "extra-index-url", "find-links", "no-index", "proxy", "timeout", "trusted-host")

# A stage that says that it runs, waits to be interrupted, and takes a while to save its state then.
WAITING_STAGE = """\
import pathlib, signal, sys, time
def interrupted(*_):
    time.sleep(2)
    pathlib.Path("saved").touch()
    sys.exit(130)
signal.signal(signal.SIGINT, interrupted)
pathlib.Path("started").touch()
while True:
    signal.pause()
"""


class ImageTestError(Exception):
    """An image can't be built, or does not do what is promised."""


@dataclass(frozen=True)
class Buildah:
    """buildah on a storage folder of its own."""

    storage: Path

    def command(self, *arguments: str) -> list[str]:
        """The command line of one buildah call."""
        place = ["--root", str(self.storage / "images"), "--runroot", str(self.storage / "run")]
        return ["buildah", *place, *arguments]

    def __call__(self, *arguments: str) -> str:
        """Runs buildah; what it printed. Raises ImageTestError."""
        return _run(self.command(*arguments))

    def has(self, image: str) -> bool:
        """Whether the storage holds ``image``."""
        found = subprocess.run(self.command("inspect", "--type", "image", image), capture_output=True, check=False)
        return found.returncode == 0

    @contextlib.contextmanager
    def container(self, image: str) -> Iterator[str]:
        """A container of ``image``, removed in the end."""
        name = self("from", "--pull-never", image)
        try:
            yield name
        finally:
            self("rm", name)


@dataclass(frozen=True)
class Container:
    """Runs commands in one container: as whom, where, on which mounted folder."""

    buildah: Buildah
    name: str
    user: str = IMAGE_USER
    folder: Path = Path("/app")
    mounted: bool = False

    def command(self, *words: str) -> list[str]:
        """The command line that runs ``words`` inside."""
        options = ["--isolation", "chroot", "--user", self.user, "--workingdir", str(self.folder)]
        if self.mounted:
            options += ["--volume", f"{self.folder}:{self.folder}"]
        return self.buildah.command("run", *options, self.name, "--", *words)

    def __call__(self, *words: str) -> str:
        """Runs ``words`` inside; what they printed on stdout. Raises ImageTestError."""
        return _run(self.command(*words))


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds and try. Returns the exit code: 0 all held, 2 something did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storage", type=Path, default=Path("/var/tmp/mnistgan-images"), help="where images stay")  # noqa: S108
    storage = parser.parse_args(arguments).storage
    try:
        _check_tools()
        buildah = Buildah(storage)
        with tempfile.TemporaryDirectory(prefix="image-test-") as scratch:
            _make_base(buildah, Path(scratch))
            for target in ("train", "ui"):
                _build(buildah, target, Path(scratch))
            _try_train(buildah, Path(scratch))
            _try_ui(buildah, Path(scratch))
    except ImageTestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _check_tools() -> None:
    missing = [tool for tool in ("buildah", "debootstrap", "git") if shutil.which(tool) is None]
    if missing:
        raise ImageTestError(f"{' and '.join(missing)} not found: apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        raise ImageTestError("debootstrap needs root: sudo make image-test")


def _make_base(buildah: Buildah, scratch: Path) -> None:
    if buildah.has(BASE):
        return
    _say(f"making the base image: Debian {DEBIAN} with {PACKAGES} (a minute)")
    root = scratch / "base"
    _run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, str(root), *_debian_mirror()])
    container = buildah("from", "scratch")
    buildah("add", container, str(root), "/")
    buildah("commit", "--rm", container, BASE)


def _debian_mirror() -> list[str]:
    """The first address of this machine's own Debian sources; debootstrap's default where there is none."""
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    lines = sources.read_text("utf-8").splitlines() if sources.is_file() else []
    return [line.split()[1] for line in lines if line.startswith("URIs:")][:1]


def _build(buildah: Buildah, target: str, scratch: Path) -> None:
    _say(f"building {target} (the first time some minutes)")
    pip_configuration = scratch / "pip.conf"
    listed = _run([sys.executable, "-m", "pip", "config", "list"])
    settings = {name: value for name, value in pip_settings(listed).items() if name in SECTIONS}
    pip_configuration.write_text("\n".join(["[global]", *(f"{n} = {v}" for n, v in settings.items())]) + "\n", "utf-8")
    options = ["--isolation", "chroot", "--network", "host", "--format", "docker", "--layers", "--pull-never"]
    options += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro", "--secret", f"id=pip,src={pip_configuration}"]
    options += ["--build-arg", f"BASE={BASE}", "--target", target, "--tag", f"localhost/mnistgan:{target}"]
    buildah("build", *options, str(ROOT))


def _try_train(buildah: Buildah, scratch: Path) -> None:
    with buildah.container("localhost/mnistgan:train") as name:
        own = Container(buildah, name)
        _expect("runs as its own fixed user", own("id", "-u").strip() == IMAGE_USER.split(":")[0])
        _try_commands(own, "the image's user")
        repository = _repository_of(OTHER_USER, scratch)
        other = Container(buildah, name, OTHER_USER, repository, mounted=True)
        _try_commands(other, "another user on a mounted repository")
        other("sh", "-c", 'touch "$HOME/written"')
        _say("ok: another user's home can be written to")
        _try_interrupt(buildah, other, scratch)


def _try_commands(container: Container, who: str) -> None:
    for words in ("python -m pipeline --help", "python -m pipeline check", "git status --short", "dvc status"):
        container(*words.split())
        _say(f"ok: {words}, as {who}")


def _repository_of(user: str, scratch: Path) -> Path:
    """Makes a clone that belongs to ``user``, on a path that they can reach, with the files as they are now."""
    scratch.chmod(0o755)
    repository = scratch / "repository"
    ignored = shutil.ignore_patterns(".venv", "data", "models", "cache", "tmp", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, repository, ignore=ignored, symlinks=True)
    uid, gid = map(int, user.split(":"))
    for path in (repository, *repository.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)
    return repository


def _try_interrupt(buildah: Buildah, other: Container, scratch: Path) -> None:
    """Sends SIGINT to the container's first process, which must reach the stage that the image's command runs."""
    folder = scratch / "interrupted"
    folder.mkdir()
    (folder / "stage.py").write_text(WAITING_STAGE, "utf-8")
    (folder / "dvc.yaml").write_text("stages:\n  wait:\n    cmd: python stage.py\n", "utf-8")
    uid, gid = map(int, OTHER_USER.split(":"))
    for path in (folder, *folder.iterdir()):
        os.chown(path, uid, gid)
    inside = Container(buildah, other.name, OTHER_USER, folder, mounted=True)
    inside("git", "init", "--quiet")
    inside("dvc", "init", "--quiet")
    with _running(inside.command(*_own_command(buildah, "train")), scratch / "train.log") as run:
        _wait_for((folder / "started").exists, run, scratch / "train.log", "the stage did not start")
        _stop(run)
    _expect("SIGINT to the container reaches the stage, which has time to save", (folder / "saved").exists())


def _try_ui(buildah: Buildah, scratch: Path) -> None:
    image = "localhost/mnistgan:ui"
    health = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]["Healthcheck"]["Test"]
    with buildah.container(image) as name:
        inside = Container(buildah, name)

        def healthy() -> bool:
            probe = inside.command(*health[1:])
            return subprocess.run(probe, capture_output=True, check=False).returncode == 0

        _expect("no other server is at the port of the ui image", not healthy())
        with _running(inside.command(*_own_command(buildah, "ui")), scratch / "ui.log") as run:
            _wait_for(healthy, run, scratch / "ui.log", "MLflow did not become healthy")
            _say("ok: the ui image answers its own health check")


def _own_command(buildah: Buildah, target: str) -> list[str]:
    """Finds what an engine would run: the image's entrypoint and command."""
    config = json.loads(buildah("inspect", "--type", "image", f"localhost/mnistgan:{target}"))["OCIv1"]["config"]
    return [*config["Entrypoint"], *config["Cmd"]]


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Runs ``command`` while the block runs, all that it prints in ``log``."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as run:
        try:
            yield run
        finally:
            _stop(run)


def _stop(run: "subprocess.Popen[bytes]") -> None:
    """Stops a container as an engine does: the image's signal to its first process, then wait for the end."""
    family = _descendants(run.pid)
    for pid in family:
        if _status(pid).get("Name") == "tini":
            os.kill(pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(WAIT_SECONDS)
    # An engine's process namespace ends what is left; chroot isolation has none.
    run.kill()
    for pid in family[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    processes = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    parents = {process: int(_status(process).get("PPid", 0)) for process in processes}
    found = [pid]
    for ancestor in found:
        found += [process for process, parent in parents.items() if parent == ancestor]
    return found


def _status(pid: int) -> dict[str, str]:
    """Fields of /proc/PID/status; none where the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _wait_for(ready: Callable[[], bool], run: "subprocess.Popen[bytes]", log: Path, problem: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not ready():
        if run.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text("utf-8", errors="replace").splitlines()[-30:]
            raise ImageTestError("\n".join([f"{problem}:", *lines]))
        time.sleep(0.5)


def _expect(promise: str, held: bool) -> None:
    if not held:
        raise ImageTestError(f"not so: {promise}")
    _say(f"ok: {promise}")


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()[-30:]
        raise ImageTestError("\n".join([f"exited {done.returncode}: {' '.join(command)}", *lines]))
    return done.stdout.strip()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
