"""The stand-in for GitHub's runner: what a step sees and leaves, which steps and jobs run, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from tests.actions import FAILURE, SKIPPED, SUCCESS, Event, Job, Runner, UnknownError
from tests.pipeline.repository import Repository


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository of two commits, and a tag at the first."""
    made = Repository(tmp_path_factory.mktemp("origin"))
    made.git("init", "--initial-branch=main")
    made.commit("first")
    (made.root / "file").write_text("committed")
    made.commit()
    return made


def run(origin: Repository, folder: Path, *steps: dict[str, Any], **told: Any) -> list[Job]:
    """The jobs of a workflow: one of these steps, and those given by name."""
    event = Event("push", origin.git("rev-parse", "main"), "refs/heads/main", {"before": "0"})
    first = {"timeout-minutes": 1, "steps": list(steps)}
    others = {name: {"timeout-minutes": 1, "steps": [{"run": "true"}], **job} for name, job in told.items()}
    return Runner(folder, origin.root, event).run({"jobs": {"first": first, **others}, "defaults": {}})


def test_a_step_sees_githubs_variables_an_empty_home_and_nothing_of_this_process(
    origin: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THIS_PROCESS", "seen")
    command = 'ls -A "$HOME"; echo "$GITHUB_ACTIONS $CI $GITHUB_EVENT_NAME $GITHUB_REF ${OF_THIS_PROCESS-unseen}"; pwd'
    (job,) = run(origin, tmp_path, {"run": command})
    assert job.log == f"true true push refs/heads/main unseen\n{job.folder}\n"


def test_what_a_step_writes_for_later_ones_is_read_back(origin: Repository, tmp_path: Path) -> None:
    lines = [
        "echo a=1 >>$GITHUB_OUTPUT",
        r"printf 'B<<END\n2\n3\nEND\n' >>$GITHUB_ENV",
        "echo page >>$GITHUB_STEP_SUMMARY",
    ]
    read = {"run": 'echo "${{ steps.writes.outputs.a }} $B ${{ env.B }}"'}
    (job,) = run(origin, tmp_path, {"run": "\n".join(lines), "id": "writes"}, read)
    assert job.log == "1 2\n3 2\n3\n"
    assert job.page == "page\n"


@pytest.mark.parametrize(
    ("condition", "runs"),
    [
        ("success()", False),
        ("github.event_name == 'push'", False),
        ("${{ !cancelled() }}", True),
        ("always() && github.ref == 'refs/heads/main'", True),
        ("failure() && (github.ref != 'refs/heads/main' || steps.none.outputs.x == 'y')", False),
    ],
)
def test_after_a_step_that_failed_only_those_run_that_say_so(
    condition: str, runs: bool, origin: Repository, tmp_path: Path
) -> None:
    (job,) = run(origin, tmp_path, {"run": "false\necho on", "id": "none"}, {"run": "echo later", "if": condition})
    assert (job.outcome, job.log) == (FAILURE, "later\n" if runs else "")


def test_a_job_comes_after_what_it_needs_and_is_left_out_where_that_failed(origin: Repository, tmp_path: Path) -> None:
    shown = {"needs": "first", "if": "!cancelled()", "steps": [{"run": "echo ${{ needs.first.result }}"}]}
    failed, left_out, told = run(origin, tmp_path, {"run": "false"}, left_out={"needs": ["first"]}, told=shown)
    assert [failed.outcome, left_out.outcome, told.log] == [FAILURE, SKIPPED, "failure\n"]


def test_a_matrix_is_a_job_for_each_of_its_values(origin: Repository, tmp_path: Path) -> None:
    strategy = {"matrix": {"python": ["3.11", "3.13"]}}
    jobs = run(origin, tmp_path, each={"strategy": strategy, "steps": [{"run": "echo ${{ matrix.python }}"}]})[1:]
    assert [(job.name, job.log) for job in jobs] == [("each-3.11", "3.11\n"), ("each-3.13", "3.13\n")]


def test_a_matrix_may_be_listed_by_the_output_of_another_job_and_its_cache_is_found_again(
    origin: Repository, tmp_path: Path
) -> None:
    cache = {"uses": "actions/cache@0", "with": {"path": "kept", "key": "k-${{ matrix.seed }}"}}
    each = {
        "needs": "list",
        "strategy": {"matrix": {"seed": "${{ fromJSON(needs.list.outputs.seeds) }}"}},
        "steps": [cache, {"run": "ls kept || mkdir kept; touch kept/${{ matrix.seed }}"}],
    }
    lists = {
        "outputs": {"seeds": "${{ steps.s.outputs.s }}"},
        "steps": [{"run": "echo s=[0,1] >>$GITHUB_OUTPUT", "id": "s"}],
    }
    *_, first, second = run(origin, tmp_path / "first", list=lists, each=each)
    assert ("cannot access" in first.log, "cannot access" in second.log) == (True, True)
    *_, first, second = run(origin, tmp_path / "again", list=lists, each=each)
    assert (first.log, second.log) == ("0\n", "1\n")


def test_a_job_may_call_a_workflow_and_hand_it_what_it_takes(origin: Repository, tmp_path: Path) -> None:
    said = {"timeout-minutes": 1, "steps": [{"run": "echo ${{ inputs.word }}", "if": "inputs.word != ''"}]}
    called = {"on": {"workflow_call": {"inputs": {"word": {}}}}, "jobs": {"say": said}}
    event = Event("push", origin.git("rev-parse", "main"), "refs/heads/main", {})
    runner = Runner(tmp_path, origin.root, event, called={"said.yml": called})
    job = {"uses": "./.github/workflows/said.yml", "with": {"word": "${{ github.event_name }}"}}
    (told,) = runner.run({"jobs": {"call": job}})
    assert told.log == "push\n"
    with pytest.raises(UnknownError, match="takes word"):
        runner.run({"jobs": {"other": job | {"with": {"words": "x"}}}})


@pytest.mark.parametrize(("given", "commits", "tags"), [({}, "1", ""), ({"with": {"fetch-depth": 0}}, "2", "first")])
def test_a_checkout_is_as_deep_as_it_is_told_and_one_commit_else(
    given: dict[str, Any], commits: str, tags: str, origin: Repository, tmp_path: Path
) -> None:
    look = {"run": "git rev-list --count HEAD; git branch --show-current; cat file; git tag"}
    (job,) = run(origin, tmp_path, {"uses": "actions/checkout@0", **given}, look)
    assert job.log.split() == [commits, "main", *([f"committed{tags}"] if tags else ["committed"])]


def test_what_a_job_keeps_another_takes(origin: Repository, tmp_path: Path) -> None:
    keep = [
        {"run": "mkdir kept; echo it >kept/file"},
        {"uses": "actions/upload-artifact@0", "with": {"name": "a", "path": "kept"}, "id": "up"},
    ]
    steps = [{"uses": "actions/download-artifact@0", "with": {"name": "a", "path": "b"}}, {"run": "cat b/file"}]
    assert run(origin, tmp_path, *keep, other={"needs": "first", "steps": steps})[1].log == "it\n"


@pytest.mark.parametrize(
    "step",
    [
        {"run": "true", "continue-on-error": True},
        {"run": "true", "if": "github.nothing == 'x'"},
        {"run": "echo ${{ secrets.TOKEN }}"},
        {"run": "echo ${{ format('{0}', 1) }}"},
        {"run": "echo ${{ hashFiles('nowhere/*') }}"},
        {"run": 'echo nonsense >>"$GITHUB_ENV"'},
        {"uses": "someone/something@0"},
        {"uses": "actions/checkout@0", "with": {"submodules": True}},
        {"uses": "actions/cache@0", "with": {"path": "~/unknown", "key": "k"}},
    ],
    ids=str,
)
def test_what_it_does_not_know_it_refuses(step: dict[str, Any], origin: Repository, tmp_path: Path) -> None:
    with pytest.raises(UnknownError):
        run(origin, tmp_path, step)


@pytest.mark.parametrize("told", [{"services": {}}, {"strategy": {"matrix": {"include": []}}}], ids=str)
def test_a_job_that_it_does_not_know_it_refuses(told: dict[str, Any], origin: Repository, tmp_path: Path) -> None:
    with pytest.raises(UnknownError):
        run(origin, tmp_path, other=told)


def test_bash_stops_at_the_first_command_that_fails_in_a_pipe_too_where_it_is_asked_for_by_name(
    origin: Repository, tmp_path: Path
) -> None:
    (named,) = run(origin, tmp_path / "named", {"run": "false | true\necho on", "shell": "bash"})
    (unnamed,) = run(origin, tmp_path / "unnamed", {"run": "false | true\necho on"})
    assert [(named.outcome, named.log), (unnamed.outcome, unnamed.log)] == [(FAILURE, ""), (SUCCESS, "on\n")]
