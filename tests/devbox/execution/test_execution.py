"""Tasks are really executed: as processes, with their environment, limits and logs."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import aclosing
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pytest

import flyte.devbox
from devbox.calls import DEADLINE, Calls, inputs, integer, interface, shell, text, variables
from flyte.devbox.executor.processes.process import ExecutedProcess
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus
from flyte_api.messages.flyteidl2.core.literals import Backoff, KeyValuePair, RetryStrategy, TimeoutStrategy
from flyte_api.messages.flyteidl2.core.tasks import (
    K8sPod,
    Resources,
    ResourcesResourceEntry,
    ResourcesResourceName,
    TaskMetadata,
    TaskTemplate,
)
from flyte_api.messages.flyteidl2.core.types import SimpleType
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import TailLogsRequest
from flyte_api.messages.flyteidl2.task.common import Outputs
from flyte_api.messages.flyteidl2.task.run import Envs, RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails, ErrorInfoKind
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.calls.client import Client


def phases_of(details: ActionDetails, attempt: int = 1) -> list[str]:
    found = next(item for item in details.attempts if item.attempt == attempt)
    return [transition.phase.name for transition in found.phase_transitions]


def phase_of(details: ActionDetails) -> ActionPhase:
    assert details.status is not None
    return details.status.phase


async def test_a_command_runs_through_all_phases(calls: Calls) -> None:
    details = await calls.run(shell("echo out; echo err >&2"))
    assert details.status is not None and details.id is not None
    assert details.status.phase == ActionPhase.SUCCEEDED
    assert details.status.attempts == 1
    assert details.status.end_time is not None and details.status.duration_ms is not None
    assert phases_of(details) == ["QUEUED", "INITIALIZING", "RUNNING", "SUCCEEDED"]
    assert details.attempts[0].logs_available
    assert await calls.log(details.id) == ["out", "err"]


async def test_env_of_task_and_run_and_context(calls: Calls) -> None:
    script = 'echo "$TASK_ONE $BOTH"; echo "$FLYTE_RUN_NAME/$FLYTE_ACTION_NAME/$FLYTE_ATTEMPT/$FLYTE_TASK_VERSION"; env'
    spec = shell(script, env={"TASK_ONE": "task", "BOTH": "task"})
    run_spec = RunSpec(envs=Envs(values=[KeyValuePair(key="BOTH", value="run")]))
    details = await calls.run(spec, run_spec=run_spec, name="env1")
    assert details.id is not None
    first, second, *everything = await calls.log(details.id)
    assert first == "task run"
    assert second == "env1/a0/1/1"
    names = {line.partition("=")[0] for line in everything}
    assert {"PATH", "HOME", "FLYTE_ENDPOINT", "FLYTE_TOKEN", "FLYTE_INPUT_PATH", "FLYTE_OUTPUT_PATH"} <= names
    # Set by pytest in this process, which is the devbox's.
    assert "PYTEST_CURRENT_TEST" in os.environ and "PYTEST_CURRENT_TEST" not in names


async def test_command_line_refers_to_inputs_and_places(calls: Calls) -> None:
    spec = shell("")
    assert spec.task_template is not None and spec.task_template.container is not None
    spec.task_template.container.command = ["/bin/sh", "-c", 'for part; do echo "$part"; done', "sh"]
    spec.task_template.container.args = [
        "{{.Inputs.x}}",
        "{{ $inputs.name }}",
        "{{.input}}",
        "{{.outputPrefix}}",
        "{{.runStartTime}}",
        "{{.else}}",
    ]
    started = RunSpec(run_start_time=Timestamp(seconds=5))
    values = inputs(x=integer(7), name=text("a b"))
    details = await calls.run(spec, inputs=values, name="args1", run_spec=started)
    assert details.id is not None
    x, name, uri, prefix, time_, other = await calls.log(details.id)
    assert (x, name, time_, other) == ("7", "a b", "1970-01-01T00:00:05Z", "{{.else}}")
    assert uri.startswith("file:///") and uri.endswith(f"/{calls.project}/development/args1/inputs/inputs.pb")
    assert prefix.endswith(f"/{calls.project}/development/args1/a0/1")


async def test_a_reference_to_an_input_that_is_not_there_is_told(calls: Calls) -> None:
    details = await calls.run(shell("echo {{.inputs.gone}}"))
    assert details.error_info is not None
    assert details.error_info.code == "BadTaskDefinition" and "'gone'" in details.error_info.message


async def test_inputs_and_outputs_are_files(calls: Calls) -> None:
    spec = shell('cp "$FLYTE_INPUT_PATH" "$FLYTE_OUTPUT_PATH/outputs.pb"')
    assert spec.task_template is not None
    spec.task_template.interface = interface(variables(x=SimpleType.INTEGER), variables(x=SimpleType.INTEGER))
    details = await calls.run(spec, inputs=inputs(x=integer(41)))
    assert phase_of(details) == ActionPhase.SUCCEEDED and details.id is not None
    data = await calls.data(details.id)
    assert data.outputs == Outputs(literals=inputs(x=integer(41)).literals)
    assert data.inputs == inputs(x=integer(41))


async def test_declared_outputs_that_are_not_written_fail_the_task(calls: Calls) -> None:
    spec = shell("true")
    assert spec.task_template is not None
    spec.task_template.interface = interface(outputs=variables(o0=SimpleType.INTEGER))
    details = await calls.run(spec)
    assert phase_of(details) == ActionPhase.FAILED
    assert details.error_info is not None and details.error_info.code == "OutputsNotFound"


async def test_outputs_that_are_no_message_fail_the_task(calls: Calls) -> None:
    details = await calls.run(shell(r'printf "\377\377" > "$FLYTE_OUTPUT_PATH/outputs.pb"'))
    assert details.error_info is not None and details.error_info.code == "OutputsBadFormat"


async def test_exit_code_and_last_lines_tell_why(calls: Calls) -> None:
    details = await calls.run(shell("echo before; echo the reason >&2; exit 3"))
    assert phase_of(details) == ActionPhase.FAILED
    error = details.error_info
    assert error is not None and error.kind == ErrorInfoKind.USER
    assert "code 3" in error.message and error.message.endswith("before\nthe reason")
    assert details.attempts[0].error_info == error


async def test_death_by_signal_is_told(calls: Calls) -> None:
    details = await calls.run(shell("kill -9 $$"))
    assert details.error_info is not None
    assert details.error_info.code == "Interrupted" and "SIGKILL" in details.error_info.message


async def test_error_pb_beats_the_exit_code(calls: Calls) -> None:
    # ErrorDocument{error{code "C", message "M", origin USER}}
    details = await calls.run(shell(r'printf "\012\010\012\001C\022\001M\040\001" > "$FLYTE_OUTPUT_PATH/error.pb"'))
    assert phase_of(details) == ActionPhase.FAILED
    assert details.error_info is not None
    assert (details.error_info.code, details.error_info.message) == ("C", "M")
    assert details.error_info.kind == ErrorInfoKind.USER


async def test_unreadable_error_pb(calls: Calls) -> None:
    details = await calls.run(shell(r'printf "\377" > "$FLYTE_OUTPUT_PATH/error.pb"'))
    assert details.error_info is not None and details.error_info.code == "ErrorFileBadFormat"
    assert details.error_info.kind == ErrorInfoKind.SYSTEM


async def test_a_program_that_is_not_there(calls: Calls) -> None:
    spec = shell("")
    assert spec.task_template is not None and spec.task_template.container is not None
    spec.task_template.container.command = ["no-such-program"]
    details = await calls.run(spec)
    assert details.error_info is not None and details.error_info.code == "StartError"
    assert "'no-such-program'" in details.error_info.message


async def test_what_only_a_cluster_can_do_is_refused(calls: Calls) -> None:
    details = await calls.run(TaskSpec(task_template=TaskTemplate(type="pod", k8s_pod=K8sPod())))
    assert details.error_info is not None and details.error_info.code == "UnsupportedTask"
    assert "a pod" in details.error_info.message


async def test_retries_until_it_works(calls: Calls, tmp_path: Path) -> None:
    metadata = TaskMetadata(retries=RetryStrategy(retries=5))
    spec = shell(f'echo "attempt $FLYTE_ATTEMPT"; echo x >> {tmp_path}/tries; [ "$FLYTE_ATTEMPT" = 3 ]', metadata)
    details = await calls.run(spec)
    assert details.status is not None and details.id is not None
    assert details.status.phase == ActionPhase.SUCCEEDED
    assert details.status.attempts == 3
    assert [item.attempt for item in details.attempts] == [1, 2, 3]
    assert [item.phase.name for item in details.attempts] == ["RUNNING", "RUNNING", "SUCCEEDED"]
    assert (tmp_path / "tries").read_text() == "x\nx\nx\n"
    assert await calls.log(details.id, 2) == ["attempt 2"]
    assert details.error_info is None


async def test_retries_run_out(calls: Calls) -> None:
    details = await calls.run(shell("exit 9", TaskMetadata(retries=RetryStrategy(retries=1))))
    assert details.status is not None and details.status.attempts == 2
    assert details.status.phase == ActionPhase.FAILED
    assert details.error_info is not None and "code 9" in details.error_info.message
    assert [item.phase.name for item in details.attempts] == ["RUNNING", "FAILED"]


async def test_backoff_pauses_between_attempts(calls: Calls) -> None:
    pause = Duration(nanos=300_000_000)
    metadata = TaskMetadata(retries=RetryStrategy(retries=1, backoff=Backoff(base=pause)))
    details = await calls.run(shell("false", metadata))
    queued, running = details.attempts[1].phase_transitions[0], details.attempts[1].phase_transitions[-2]
    assert queued.start_time is not None and running.start_time is not None
    assert running.start_time.to_datetime() - queued.start_time.to_datetime() >= pause.to_timedelta()


async def test_an_attempt_that_runs_too_long_is_killed(calls: Calls) -> None:
    metadata = TaskMetadata(timeout=Duration(nanos=300_000_000))
    details = await calls.run(shell("exec sleep 600", metadata))
    assert phase_of(details) == ActionPhase.FAILED
    assert details.error_info is not None and details.error_info.code == "MAX_RUNTIME_EXCEEDED"
    assert details.error_info.kind == ErrorInfoKind.USER


async def test_deadline_covers_all_attempts(calls: Calls) -> None:
    deadline = TimeoutStrategy(deadline=Duration(nanos=400_000_000))
    metadata = TaskMetadata(retries=RetryStrategy(retries=10), timeouts=deadline)
    details = await calls.run(shell('[ "$FLYTE_ATTEMPT" = 1 ] || exec sleep 600; false', metadata))
    assert details.error_info is not None and details.error_info.code == "DEADLINE_EXCEEDED"
    assert details.status is not None and details.status.attempts == 2


async def test_memory_limit(calls: Calls) -> None:
    limit = ResourcesResourceEntry(name=ResourcesResourceName.MEMORY, value="64Mi")
    details = await calls.run(shell("ulimit -v", resources=Resources(limits=[limit])))
    assert details.id is not None
    assert await calls.log(details.id) == [str(64 * 1024)]


async def test_memory_limit_that_is_no_quantity(calls: Calls) -> None:
    limit = ResourcesResourceEntry(name=ResourcesResourceName.MEMORY, value="lots")
    details = await calls.run(shell("true", resources=Resources(limits=[limit])))
    assert details.error_info is not None and "'lots'" in details.error_info.message


async def test_logs_are_tailed_while_the_task_runs(calls: Calls, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    action = (await calls.create(shell(f'echo first; read line < {gate}; echo "$line"; printf unfinished'))).id
    assert action is not None
    await calls.until(action, ActionPhase.RUNNING)
    async with aclosing(calls.lines(action)) as lines:
        assert await anext(lines) == "first"
        # The task continues only now, so the line was delivered while it was running.
        await asyncio.to_thread(gate.write_text, "second\n")
        assert await anext(lines) == "second"
        assert await anext(lines) == "unfinished"
        assert await anext(lines, None) is None
    assert phase_of(await calls.ended(action)) == ActionPhase.SUCCEEDED


async def test_log_lines_have_times_and_batches(calls: Calls) -> None:
    before = time.time()
    details = await calls.run(shell("i=0; while [ $i -lt 250 ]; do echo $i; i=$((i+1)); done"))
    request = TailLogsRequest(action_id=details.id, attempt=1)
    batches = [log.lines async for reply in calls.stream(DataProxyService.TAIL_LOGS, request) for log in reply.logs]
    assert max(map(len, batches)) <= 100
    lines = [line for batch in batches for line in batch]
    assert [line.message for line in lines] == [str(number) for number in range(250)]
    stamps = [line.timestamp.to_datetime().timestamp() for line in lines if line.timestamp is not None]
    assert len(stamps) == 250 and stamps == sorted(stamps)
    assert before - 1 <= stamps[0] and stamps[-1] <= time.time()


async def test_bytes_that_are_no_text_and_very_long_lines(calls: Calls) -> None:
    details = await calls.run(shell(r'printf "a\377b\r\n"; head -c 200000 /dev/zero | tr "\0" z'))
    assert details.id is not None
    first, *rest = await calls.log(details.id)
    assert first == "a\N{REPLACEMENT CHARACTER}b"
    assert "".join(rest) == "z" * 200_000 and max(map(len, rest)) <= 65_536


async def test_what_a_command_leaves_behind_is_killed(calls: Calls, tmp_path: Path) -> None:
    """The background process keeps the pipe open, but the attempt still ends, and the process is killed."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb")
    details = await calls.run(shell(f"exec 9> {fifo}; sleep 600 & echo started"))
    assert phase_of(details) == ActionPhase.SUCCEEDED
    await closed(reader)


async def test_abort_kills_the_whole_group(calls: Calls, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb")
    # A grandchild that ignores SIGTERM.
    script = f"exec 9> {fifo}; sh -c 'trap \"\" TERM; echo up; while :; do sleep 600; done' & wait"
    action = (await calls.create(shell(script), name="abort1")).id
    assert action is not None
    assert await calls.first_line(action) == "up"
    await calls.abort("abort1", "enough")
    now = await calls.details(action)
    assert phase_of(now) == ActionPhase.ABORTED
    details = await calls.ended(action)
    assert details.abort_info is not None and details.abort_info.reason == "enough"
    assert details.attempts[-1].phase == ActionPhase.ABORTED
    assert [event.message for event in details.attempts[-1].cluster_events][-1] == "aborted"
    await closed(reader)


async def test_sigterm_comes_first(calls: Calls) -> None:
    script = "trap 'echo cleaned up; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    action = (await calls.create(shell(script), name="abort2")).id
    assert action is not None
    await calls.first_line(action)
    await calls.abort("abort2")
    details = await calls.ended(action)
    assert (await calls.log(action))[-1] == "cleaned up"
    assert phase_of(details) == ActionPhase.ABORTED
    assert details.abort_info is not None and details.abort_info.reason == "User requested abort"


async def test_cached_outputs_are_taken_over(calls: Calls, tmp_path: Path) -> None:
    def spec() -> TaskSpec:
        made = shell(
            f'echo x >> {tmp_path}/runs; cp "$FLYTE_INPUT_PATH" "$FLYTE_OUTPUT_PATH/outputs.pb"',
            TaskMetadata(discoverable=True, discovery_version="1", cache_ignore_input_vars=["noise"]),
        )
        assert made.task_template is not None
        made.task_template.interface = interface(variables(x=SimpleType.INTEGER), variables(x=SimpleType.INTEGER))
        return made

    def cache_status(details: ActionDetails) -> CatalogCacheStatus:
        assert details.status is not None
        return details.status.cache_status

    first = await calls.run(spec(), inputs=inputs(x=integer(1), noise=integer(1)))
    assert cache_status(first) == CatalogCacheStatus.CACHE_POPULATED
    second = await calls.run(spec(), inputs=inputs(x=integer(1), noise=integer(2)))
    assert cache_status(second) == CatalogCacheStatus.CACHE_HIT
    assert phase_of(second) == ActionPhase.SUCCEEDED and first.id is not None and second.id is not None
    assert (await calls.data(second.id)).outputs == (await calls.data(first.id)).outputs
    other = await calls.run(spec(), inputs=inputs(x=integer(2), noise=integer(1)))
    assert cache_status(other) == CatalogCacheStatus.CACHE_POPULATED
    with pytest.warns(DeprecationWarning, match="overwrite_cache is deprecated"):
        run_spec = RunSpec(overwrite_cache=True)  # as older clients write it
    again = await calls.run(spec(), inputs=inputs(x=integer(1)), run_spec=run_spec)
    assert cache_status(again) == CatalogCacheStatus.CACHE_POPULATED
    assert (tmp_path / "runs").read_text() == "x\n" * 3


async def test_working_directory_is_the_attempts_own_and_goes_away(calls: Calls) -> None:
    details = await calls.run(shell("pwd; mkdir -p deep/er; echo x > deep/er/file; ls"))
    assert details.id is not None
    directory, *files = await calls.log(details.id)
    assert files == ["deep"]
    assert not Path(directory).exists()


async def test_a_full_devbox_makes_actions_wait() -> None:
    async with (
        flyte.devbox.start(memory=True, parallel=1, grace=0.2) as box,
        Client(box.endpoint, token=box.token) as client,
    ):
        calls = Calls(client, "flytesnacks")
        first = (await calls.create(shell("echo up; exec sleep 600"), name="first")).id
        assert first is not None
        await calls.first_line(first)
        second = (await calls.create(shell("true"))).id
        assert second is not None
        await calls.until(second, ActionPhase.WAITING_FOR_RESOURCES)
        status = (await calls.details(second)).status
        # The status knows no such phase.
        assert status is not None and status.phase == ActionPhase.QUEUED
        impatient = TimeoutStrategy(queued_timeout=Duration(nanos=200_000_000))
        late = await calls.run(shell("true", TaskMetadata(timeouts=impatient)))
        assert late.error_info is not None and late.error_info.code == "QUEUED_TIMEOUT_EXCEEDED"
        aborted = (await calls.create(shell("true"), name="third")).id
        assert aborted is not None
        await calls.abort("third")
        assert phases_of(await calls.ended(aborted)) == ["QUEUED", "WAITING_FOR_RESOURCES", "ABORTED"]
        await calls.abort("first")
        assert phase_of(await calls.ended(second)) == ActionPhase.SUCCEEDED


async def test_output_that_cannot_be_stored_is_noticed(tmp_path: Path) -> None:
    def full(data: bytes) -> None:
        raise OSError("no space left")

    process = await ExecutedProcess.start(["/bin/sh", "-c", "echo x; exec sleep 600"], env={}, cwd=tmp_path, sink=full)
    async with asyncio.timeout(DEADLINE):
        assert str(await process.unheard) == "no space left"
        await process.stop(grace=0)
        assert await process.exited < 0
        await process.finish()


async def test_report_and_outputs_are_where_the_backend_puts_them(calls: Calls) -> None:
    details = await calls.run(shell("true"), name="r1")
    outputs = details.attempts[0].outputs
    assert outputs is not None
    assert outputs.output_uri.rpartition("/")[2] == "outputs.pb"
    assert outputs.report_uri == outputs.output_uri.replace("outputs.pb", "report.html")
    # `xt` is the shard of "flyte/r1-a0".
    assert urlsplit(outputs.output_uri).path.endswith(f"/blobs/xt/{calls.project}/development/r1/a0/1/outputs.pb")


async def closed(reader: IO[bytes]) -> None:
    """Wait until nobody has the other end of a pipe open any more."""
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), reader)
    try:
        async with asyncio.timeout(DEADLINE):
            await stream.read()
    finally:
        transport.close()
