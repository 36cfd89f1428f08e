"""GitHub's runner, as much of it as our workflows use: it runs a workflow's jobs here, as they would run there.

A job gets an empty home, GitHub's variables and nothing else of this process's environment, a bare Python, and what its
steps take: the checkout at its depth, the caches, artifacts. What is not known here is refused, not passed over.
"""

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

SUCCESS, FAILURE, SKIPPED = "success", "failure", "skipped"
SHELLS = {
    None: ["bash", "-e"],
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
    "sh": ["sh", "-e"],
}
STATUS = re.compile(r"\b(?:success|failure|cancelled|always)\(")
WORKFLOW_KEYS = {"name", "on", "permissions", "concurrency", "defaults", "jobs"}
JOB_KEYS = {"name", "runs-on", "timeout-minutes", "strategy", "steps", "if", "needs", "outputs", "permissions", "env"}
CALL_KEYS = {"name", "needs", "if", "permissions", "uses", "with"}
STEP_KEYS = {"name", "id", "if", "env", "run", "shell", "uses", "with"}
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<name>[A-Za-z_][\w-]*(?:\.[\w-]+)*)(?P<call>\()?"
    r"|(?P<sign>&&|\|\||==|!=|!|[(),]))\s*"
)
PYTHONS = {"&&": " and ", "||": " or ", "!": " not "}
WORDS = {"true": True, "false": False, "null": None}
HOME_OF_TOOLS = ("git", "make", "bash", "jq")


class UnknownError(Exception):
    """A workflow asks for what this runner does not know, or for what is not there."""


@dataclass(frozen=True)
class Event:
    """What starts a workflow: its kind, the commit, the ref that GitHub gives it, and what else is known of it."""

    name: str
    sha: str
    ref: str
    payload: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tracking(self) -> str:
        """The ref under which actions/checkout keeps the commit."""
        return self.ref.replace("refs/heads/", "refs/remotes/origin/").replace("refs/pull/", "refs/remotes/pull/")


@dataclass
class Job:
    """How a job ended, and what it left."""

    name: str
    folder: Path
    outcome: str = SUCCESS
    log: str = ""
    page: str = ""
    """What the run's page shows."""
    ran: list[str] = field(default_factory=list)
    """Every command that was run, as it stands in the workflow."""
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.outcome == SUCCESS


@dataclass(frozen=True)
class Runner:
    """A machine of GitHub's: where it lies, what it clones, what started it."""

    folder: Path
    origin: Path
    event: Event
    programs: Mapping[str, str] = field(default_factory=dict)
    """Scripts that stand in for programs, by their names."""
    caches: Mapping[str, Path] = field(default_factory=dict)
    """What actions/cache finds, by the path that it is asked for."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """For the stand-ins."""
    called: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The workflows that jobs may call, by the names of their files."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    after_checkout: Callable[[Path], object] = lambda _: None

    def run(
        self, workflow: Mapping[str, Any], only: tuple[str, ...] = (), before: Mapping[str, Job] | None = None
    ) -> list[Job]:
        """Run the jobs, or ``only`` some, each after those that it needs; ``before``: how needed ones ended already."""
        _known(workflow, WORKFLOW_KEYS, "a workflow")
        ended, jobs = dict(before or {}), []
        waiting = {name: job for name, job in workflow["jobs"].items() if not only or name in only}
        while waiting:
            name = next(name for name, job in waiting.items() if ended.keys() >= set(_needs(job)))
            job = waiting.pop(name)
            needed = {other: ended[other] for other in _needs(job)}
            ran = self._call(workflow, name, job, needed) if "uses" in job else self._run(workflow, name, job, needed)
            jobs += ran
            ended[name] = next((each for each in ran if each.outcome == FAILURE), ran[-1])
        return jobs

    def _run(
        self, workflow: Mapping[str, Any], name: str, job: Mapping[str, Any], needs: Mapping[str, Job]
    ) -> list[Job]:
        _known(job, JOB_KEYS, f"the job {name}")
        return [_Run(self, workflow, name, job, matrix, needs).job for matrix in _matrices(job, needs) or [{}]]

    def _call(
        self, workflow: Mapping[str, Any], name: str, job: Mapping[str, Any], needs: Mapping[str, Job]
    ) -> list[Job]:
        """The jobs of a workflow that a job calls, with what that hands to it."""
        _known(job, CALL_KEYS, f"the job {name}")
        calling = _Run(self, workflow, name, {**job, "timeout-minutes": 1, "steps": []}, {}, needs)
        if calling.job.outcome == SKIPPED:
            return [calling.job]
        called = self.called[Path(job["uses"]).name]
        known, given = called["on"]["workflow_call"]["inputs"], job.get("with", {})
        if known.keys() != given.keys():
            raise UnknownError(f"{name} gives {', '.join(given)}; {job['uses']} takes {', '.join(known)}")
        inputs = {key: calling.filled(str(value)) for key, value in given.items()}
        return replace(self, inputs=inputs).run(called)


class _Run:
    """One job at work."""

    def __init__(
        self,
        runner: Runner,
        workflow: Mapping[str, Any],
        name: str,
        told: Mapping[str, Any],
        matrix: Mapping[str, Any],
        needs: Mapping[str, Job],
    ) -> None:
        place = runner.folder / "-".join([name, *map(str, matrix.values())])
        self.runner, self.workspace, self.temp, self.home = runner, place / "work", place / "temp", place / "home"
        self.bin = place / "bin"
        for folder in (self.workspace, self.temp, self.home, self.bin):
            folder.mkdir(parents=True)
        for program, script in runner.programs.items():
            (self.bin / program).write_text(script, "utf-8")
            (self.bin / program).chmod(0o755)
        (self.temp / "event.json").write_text(json.dumps(runner.event.payload), "utf-8")
        self.job = Job(place.name, self.workspace)
        self.shell = workflow.get("defaults", {}).get("run", {}).get("shell")
        self.path = [self.bin, *_system()]
        self.contexts: dict[str, Any] = {
            "github": self._github(workflow.get("name", "")),
            "runner": {"os": "Linux", "temp": str(self.temp)},
            "matrix": matrix,
            "needs": {other: {"result": job.outcome, "outputs": job.outputs} for other, job in needs.items()},
            "env": dict(runner.variables),
            "steps": {},
            "inputs": runner.inputs,
        }
        if any(not job.ok for job in needs.values()):
            self.job.outcome = FAILURE  # as its `if` sees it
        if not self.holds(told.get("if", "success()")):
            self.job.outcome = SKIPPED
            return
        self.job.outcome = SUCCESS
        self.seconds = 60 * int(self.filled(str(told["timeout-minutes"])))
        self.contexts["env"] |= {key: self.filled(str(value)) for key, value in told.get("env", {}).items()}
        self.to_cache: list[tuple[Path, Path]] = []
        for number, step in enumerate(told["steps"]):
            self._step(step, str(number))
        for kept, folder in self.to_cache if self.job.ok else []:
            shutil.copytree(kept, folder)
        self.job.outputs = {key: self.filled(value) for key, value in told.get("outputs", {}).items()}

    def _github(self, workflow: str) -> dict[str, Any]:
        event = self.runner.event
        return {
            "event_name": event.name,
            "event": event.payload,
            "sha": event.sha,
            "ref": event.ref,
            "repository": "ada/mnistgan",
            "server_url": "https://github.example",
            "run_id": "42",
            "token": "token",
            "workflow": workflow,
            "workspace": str(self.workspace),
        }

    @property
    def environment(self) -> dict[str, str]:
        shown = {
            f"GITHUB_{key.upper()}": value
            for key, value in self.contexts["github"].items()
            if isinstance(value, str) and key != "token"
        }
        return {
            **shown,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.temp),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "GITHUB_EVENT_PATH": str(self.temp / "event.json"),
            "PATH": ":".join(map(str, self.path)),
            **self.contexts["env"],
        }

    def _step(self, step: Mapping[str, Any], number: str) -> None:
        _known(step, STEP_KEYS, f"a step of {self.job.name}")
        outcome, outputs = SKIPPED, {}
        if self.holds(step.get("if", "success()")):
            ok, outputs = self._use(step) if "uses" in step else self._command(step, number)
            outcome = SUCCESS if ok else FAILURE
            self.job.outcome = self.job.outcome if ok else FAILURE
        self.contexts["steps"][step.get("id", number)] = {"outcome": outcome, "outputs": outputs}

    def _command(self, step: Mapping[str, Any], number: str) -> tuple[bool, dict[str, str]]:
        script = self.temp / f"{number}.sh"
        script.write_text(self.filled(step["run"]), "utf-8")
        files = {name: self.temp / f"{number}.{name}" for name in ("STEP_SUMMARY", "OUTPUT", "ENV", "PATH")}
        for file in files.values():
            file.touch()
        environment = {
            **self.environment,
            **{f"GITHUB_{name}": str(file) for name, file in files.items()},
            **{key: self.filled(str(value)) for key, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            [*SHELLS[step.get("shell", self.shell)], script],
            cwd=self.workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=self.seconds,
        )
        self.job.ran.append(step["run"])
        self.job.log += done.stdout.decode("utf-8", "replace")
        self.job.page += files["STEP_SUMMARY"].read_text("utf-8")
        self.contexts["env"] |= dict(_assignments(files["ENV"].read_text("utf-8")))
        self.path[:0] = [Path(line) for line in files["PATH"].read_text("utf-8").splitlines()]
        return done.returncode == 0, dict(_assignments(files["OUTPUT"].read_text("utf-8")))

    def _use(self, step: Mapping[str, Any]) -> tuple[bool, dict[str, str]]:
        action = step["uses"].split("@")[0]
        if action not in ACTIONS:
            raise UnknownError(f"{self.job.name}: the action {action}")
        known, act = ACTIONS[action]
        given = {key: self.filled(str(value)) for key, value in step.get("with", {}).items()}
        _known(given, known, f"{self.job.name}: `with` of {action}")
        outputs = act(self, given)
        return outputs is not None, outputs or {}

    def git(self, *words: str) -> None:
        command = ["git", "-c", "init.defaultBranch=main", *words]
        subprocess.run(command, cwd=self.workspace, env=self.environment, check=True, capture_output=True)

    # Expressions

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{\{(.+?)\}\}", lambda found: _shown(self.value(found[1])), text, flags=re.DOTALL)

    def holds(self, condition: str) -> bool:
        text = re.sub(r"^\s*\$\{\{(.+)\}\}\s*$", r"\1", condition, flags=re.DOTALL)
        return bool(self.value(text if STATUS.search(text) else f"success() && ({text})"))

    def value(self, expression: str) -> Any:
        source, at = "", 0
        while at < len(expression):
            found = TOKEN.match(expression, at)
            if found is None:
                raise UnknownError(f"{self.job.name}: {expression[at:]!r} in an expression")
            source, at = source + self._python(found), found.end()
        return eval(source, {"__builtins__": {}, "named": self._named, "call": self._call})

    def _python(self, found: re.Match[str]) -> str:
        """A token as Python has it."""
        text, name, sign = found["text"], found["name"], found["sign"]
        if text:
            return repr(text[1:-1].replace("''", "'"))
        if name:
            return f"call({name!r})(" if found["call"] else f"named({name!r})"
        return PYTHONS.get(sign, sign) if sign else found["number"]

    def _call(self, name: str) -> Callable[..., Any]:
        functions: dict[str, Callable[..., Any]] = {
            "success": lambda: self.job.outcome == SUCCESS,
            "failure": lambda: self.job.outcome == FAILURE,
            "always": lambda: True,
            "cancelled": lambda: False,
            "hashFiles": self._hash,
            "fromJSON": json.loads,
        }
        if name not in functions:
            raise UnknownError(f"{self.job.name}: the function {name}")
        return functions[name]

    def _hash(self, *patterns: str) -> str:
        for pattern in patterns:
            if not any(self.workspace.glob(pattern)):
                raise UnknownError(f"{self.job.name}: hashFiles finds no {pattern}, and GitHub would give ''")
        return "hash"

    def _named(self, name: str) -> Any:
        """The value of a dotted name; an output that no step gave is as good as empty, all else unknown a mistake."""
        if name in WORDS:
            return WORDS[name]
        value: Any = self.contexts
        for part in name.split("."):
            if part not in value:
                if ".outputs." in name:
                    return ""
                raise UnknownError(f"{self.job.name}: {name} in an expression")
            value = value[part]
        return value


def _checkout(run: _Run, given: Mapping[str, str]) -> dict[str, str]:
    event, depth = run.runner.event, int(given.get("fetch-depth", 1))
    run.git("init", "--quiet")
    run.git("remote", "add", "origin", f"file://{run.runner.origin}")
    refs, limits = [f"+{event.sha}:{event.tracking}"], [f"--depth={depth}"]
    if depth == 0:
        of_pulls, limits = [ref for ref in refs if "/pull/" in ref], []
        refs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", *of_pulls]
    ref, asked = given.get("ref"), "refs/remotes/origin/asked"
    refs += [f"+{ref}:{asked}"] if ref else []
    run.git("fetch", "--quiet", "--no-tags", *limits, "origin", *refs)
    branch = ["-B", event.ref.removeprefix("refs/heads/")] if event.ref.startswith("refs/heads/") else []
    where = ["--detach", asked] if ref else [*branch, event.tracking]
    run.git("checkout", "--quiet", "--force", *where)
    run.runner.after_checkout(run.workspace)
    return {}


def _setup_python(run: _Run, given: Mapping[str, str]) -> dict[str, str]:
    """The Python that runs the tests, whichever is asked for, without what is installed beside it."""
    folder, version = run.temp / "python", f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder.mkdir()
    for name in ("python", "python3", version):
        (folder / name).symlink_to(Path(sys.base_prefix) / "bin" / version)
    run.path.insert(1, folder)
    if paths := given.get("cache-dependency-path"):
        run._hash(paths)
    return {"python-version": given["python-version"]}


def _cache(run: _Run, given: Mapping[str, str]) -> dict[str, str]:
    path, key = given["path"], given["key"]
    if path in run.runner.caches:
        shutil.copytree(run.runner.caches[path], run.home / path.removeprefix("~/"))
        return {"cache-hit": "true"}
    if path.startswith("~/"):
        raise UnknownError(f"{run.job.name}: a cache of {path}")
    held = run.runner.folder.parent / "caches" / key.replace("/", "-")
    if held.exists():
        shutil.copytree(held, run.workspace / path, dirs_exist_ok=True)
        return {"cache-hit": "true"}
    run.to_cache.append((run.workspace / path, held))
    return {"cache-hit": ""}


def _upload(run: _Run, given: Mapping[str, str]) -> dict[str, str] | None:
    kept = run.workspace / given["path"]
    if not kept.exists() or not any(kept.iterdir()):
        return None if given.get("if-no-files-found") == "error" else {}
    shutil.copytree(kept, run.runner.folder / "artifacts" / given["name"])
    return {"artifact-id": "1"}


def _download(run: _Run, given: Mapping[str, str]) -> dict[str, str] | None:
    """One artifact, straight into the folder; or all that a pattern names, each into a folder of its name."""
    artifacts, path = run.runner.folder / "artifacts", run.workspace / given["path"]
    kept = {artifacts / given["name"]: path} if "name" in given else {}
    kept |= {found: path / found.name for found in artifacts.glob(given["pattern"])} if "pattern" in given else {}
    if "name" in given and not (artifacts / given["name"]).exists():
        return None
    for source, place in kept.items():
        shutil.copytree(source, place, dirs_exist_ok=True)
    return {}


ACTIONS: dict[str, tuple[set[str], Callable[[_Run, Mapping[str, str]], dict[str, str] | None]]] = {
    "actions/checkout": ({"fetch-depth", "persist-credentials", "ref"}, _checkout),
    "actions/setup-python": ({"python-version", "cache", "cache-dependency-path"}, _setup_python),
    "actions/cache": ({"path", "key"}, _cache),
    "actions/upload-artifact": ({"name", "path", "if-no-files-found"}, _upload),
    "actions/download-artifact": ({"name", "path", "pattern"}, _download),
}
"""By name: what they take here, and what they do. They give their outputs, or None where they fail."""


def _known(given: Mapping[str, Any], known: set[str], whose: str) -> None:
    if unknown := sorted(given.keys() - known):
        raise UnknownError(f"{whose}: {', '.join(unknown)}")


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def _matrices(job: Mapping[str, Any], needs: Mapping[str, Job]) -> list[dict[str, Any]]:
    """Every choice of the values that a job's matrix lists, or that an output of a needed job lists as JSON."""
    _known(job.get("strategy", {}), {"matrix", "fail-fast"}, "a strategy")
    matrix = dict(job.get("strategy", {}).get("matrix", {}))
    _known(matrix, matrix.keys() - {"include", "exclude"}, "a matrix")
    for key, values in matrix.items():
        if isinstance(values, str):
            found = re.fullmatch(r"\$\{\{ fromJSON\(needs\.([\w-]+)\.outputs\.([\w-]+)\) \}\}", values)
            if found is None:
                raise UnknownError(f"{values} in a matrix")
            matrix[key] = json.loads(needs[found[1]].outputs[found[2]] or "[]")
    return [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """What a step wrote for later ones: NAME=VALUE, or NAME<<END, lines, END."""
    lines = iter(text.splitlines())
    for line in lines:
        if (found := re.match(r"([\w-]+)(=|<<)(.*)", line)) is None:
            raise UnknownError(f"{line!r} among what a step wrote for later ones")
        name, sign, rest = found.groups()
        yield name, rest if sign == "=" else "\n".join(itertools.takewhile(rest.__ne__, lines))


def _shown(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _system() -> list[Path]:
    """Where the system's programs lie, without any environment of Python's."""
    found = [Path(place).parent for name in HOME_OF_TOOLS if (place := shutil.which(name))]
    return list(dict.fromkeys([*found, Path("/usr/bin"), Path("/bin")]))
