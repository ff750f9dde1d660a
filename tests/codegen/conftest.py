from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from flyte_codegen import cli
from flyte_codegen.definitions import load
from flyte_codegen.diagnostics import CodegenError, Diagnostic
from support.fragments import Fragment, importable
from support.library import library

Make = Callable[..., Fragment]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session", autouse=True)
def compile_once() -> Iterator[None]:
    """Let protoc compile the same files only once in a process: it would take a third of the time of these tests."""
    compiled: dict[object, bytes] = {}
    run = load._compile

    def compile_files(roots: Sequence[Path], protos: Sequence[str]) -> FileDescriptorSet:
        contents = tuple(
            tuple(
                (path.relative_to(root), path.read_bytes()) for path in sorted(root.rglob("*.proto")) if path.is_file()
            )
            for root in roots
        )
        key = (contents, tuple(protos))
        if key not in compiled:
            compiled[key] = run(roots, protos).SerializeToString()
        return FileDescriptorSet.FromString(compiled[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "_compile", compile_files)
        yield


@pytest.fixture
def fragment(tmp_path: Path) -> Iterator[Make]:
    """Create a project for the test, which can be imported after generation."""

    def make(protos: dict[str, str] | str, toml: str = "", **options: Any) -> Fragment:
        files = {"test/test.proto": protos} if isinstance(protos, str) else protos
        return Fragment(tmp_path, files, toml, **options)

    with importable(tmp_path):
        yield make


@pytest.fixture
def mistakes() -> Callable[[Fragment], list[Diagnostic]]:
    """Return the generator's errors about a project."""

    def found(fragment: Fragment) -> list[Diagnostic]:
        with pytest.raises(CodegenError) as caught:
            fragment.outcome()
        return list(caught.value.diagnostics)

    return found


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command on a project. Return its exit code and output."""

    def run(fragment: Fragment, *arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([arguments[0], "--config", str(fragment.config_path), *arguments[1:]])
        importlib.invalidate_caches()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def project(tmp_path: Path) -> Fragment:
    """The library, generated."""
    return library(tmp_path).generate()


@pytest.fixture
def run(project: Fragment, command: Command) -> Callable[..., tuple[int, str, str]]:
    """Run the command on the library. Return its exit code and output."""
    return lambda *arguments: command(project, *arguments)
