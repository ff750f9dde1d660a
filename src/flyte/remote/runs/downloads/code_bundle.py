"""The code that an action runs, as its caller uploaded it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from flyte.errors import RpcError, RuntimeUserError
from flyte.remote.runs.downloads.links import create_download_links
from flyte.types.files.network import streaming_client
from flyte.types.files.threads import TransferThreads
from flyte.types.files.web import download_url
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import before_deadline
from flyte_rpc.http.transfer import Transfer

from .archives import extract as extract_archive

_IDLE = 60.0
"""Seconds that the storage may send nothing."""


@attrs.frozen
class CodeBundle:
    """The code of a task that was uploaded beside its image.

    Attributes:
        computed_version: The version of the task that was derived from the code; empty if the task does not name it.
        destination: The directory in the container that the code is extracted to.
        tgz: URI of the tar archive; None if the code is pickled.
        pkl: URI of the pickled task; None if the code is an archive.
    """

    computed_version: str
    destination: str = "."
    tgz: str | None = None
    pkl: str | None = None

    @property
    def uri(self) -> str:
        """URI of the archive or pickle."""
        return self.tgz or self.pkl or ""


def code_bundle_of(details: ActionDetails) -> CodeBundle | None:
    """Return the code bundle that the arguments of a task's container name; None if they name none."""
    for arguments in _arguments(details):
        options = _options(arguments)
        tgz, pkl = options.get("--tgz"), options.get("--pkl")
        if tgz or pkl:
            version, destination = options.get("--version", ""), options.get("--dest") or "."
            return CodeBundle(version, destination, tgz or None, None if tgz else pkl)
    return None


def _arguments(details: ActionDetails) -> Iterator[list[str]]:
    template = None if details.task is None else details.task.task_template
    if template is None:
        return
    if template.container is not None:
        yield [*template.container.command, *template.container.args]
    if template.k8s_pod is not None and template.k8s_pod.pod_spec is not None:
        spec: Any = template.k8s_pod.pod_spec.to_python()
        for container in spec.get("containers") or ():
            yield [str(part) for key in ("command", "args") for part in container.get(key) or ()]


def _options(arguments: Iterable[str]) -> dict[str, str]:
    """Return the values of the options, written as `--name value` or `--name=value`."""
    found: dict[str, str] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name, given, value = argument.partition("=")
            if given:
                found[name], name = value, ""
        elif name:
            found[name], name = argument, ""
    return found


async def download_code(
    client: Client,
    action: ActionIdentifier,
    bundle: CodeBundle | None,
    attempt: int,
    dest: str | os.PathLike[str] | None,
    *,
    extract: bool,
) -> Path:
    """Download the code of an action. See `ActionDetails.download_code`."""
    run = "" if action.run is None else action.run.name
    if bundle is None:
        raise RuntimeUserError(
            f"action {action.name} of run {run} has no code bundle: its code is part of its image", code="NoCodeBundle"
        )
    target = Path(run or action.name) if dest is None else Path(dest)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"dest is {target}, which is not a directory")
    try:
        links = await create_download_links(client, action, "code-bundle", attempt, None)
    except RpcError as error:
        error.hint = f"{error.hint} With access to the storage, you can read the code at {bundle.uri}.".lstrip()
        raise
    name = Path(unquote(urlsplit(bundle.uri).path)).name or "code"

    def work(transfer: Transfer) -> Path:
        target.mkdir(parents=True, exist_ok=True)
        if not extract or bundle.tgz is None:
            # Never load a pickle: that would run the code inside it.
            return _fetch(target / name, transfer)
        with tempfile.TemporaryDirectory(prefix="flyte-") as temporary:
            extract_archive(_fetch(Path(temporary, name), transfer), target)
        return target

    def _fetch(file: Path, transfer: Transfer) -> Path:
        download_url(http, links.url, file, transfer, timeout=_IDLE, report=lambda done, total: None)
        return file

    async with before_deadline(f"the download of the code of action {action.name}"):
        with streaming_client(client) as http, TransferThreads(1) as threads:
            return await threads.run(work, idle=_IDLE)
