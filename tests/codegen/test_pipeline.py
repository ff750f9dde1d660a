"""The generator from definitions to files: what it writes, that it always writes the same, and what it refuses."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flyte_codegen import cli

ROOT = Path(__file__).parents[2]

LIBRARY = '''
syntax = "proto3";
package library;

// Who wrote it: "quotes", \\\\ backslashes, """triple""" and {{ braces }}.
message Author { string class = 1; string self = 2; string None = 3; string list = 4; bytes parse = 5; }
message Book {
  string name = 1;
  Author author = 2;
  repeated Book sequels = 3;
  map<string, Book> related = 4;
  oneof place { string shelf = 5; int64 room = 6; }
  Kind kind = 7;
  message Inner { message Deeper { int32 n = 1; } Deeper deeper = 1; }
  Inner inner = 8;
}
enum Kind { KIND_UNSPECIFIED = 0; KIND_NOVEL = 1; KIND_mro = 2; }
message ListBooksRequest { uint32 limit = 1; string token = 2; }
message ListBooksResponse { repeated Book books = 1; EXTRA string token = 2; }
message GetBookRequest { string name = 1; }
message GetBookResponse { Book book = 1; }
service LibraryService {
  // Lists books.
  rpc ListBooks(ListBooksRequest) returns (ListBooksResponse);
  rpc GetBook(GetBookRequest) returns (GetBookResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Chat(stream GetBookRequest) returns (stream GetBookResponse);
}
'''
CONFIG = """
[output]
package = "{package}"
path = "out/{package}"

[entities.Book]
message = "library.Book"
service = "library.LibraryService"
identity = "name"

[entities.Book.properties]
name = "name"

[entities.Book.methods]
ListBooks = {{}}
GetBook = {{}}
"""


def project(folder: Path, *, extra: str = "", config: str = "", package: str = "library_api") -> Path:
    """A folder with definitions and codegen.toml; returns the latter."""
    (folder / "protos").mkdir(parents=True)
    (folder / "protos" / "library.proto").write_text(LIBRARY.replace("EXTRA", extra))
    path = folder / "codegen.toml"
    path.write_text(CONFIG.format(package=package) + config)
    return path


def run(*arguments: str | Path) -> int:
    return cli.main([str(a) for a in arguments])


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }


def test_what_is_generated_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("generate", "--config", project(tmp_path)) == 0
    monkeypatch.syspath_prepend(tmp_path / "out")
    from library_api.entities.book import BookBase  # pyright: ignore
    from library_api.messages.library import Author, Book, BookInnerDeeper, Kind  # pyright: ignore

    author = Author(class_="c", self_="s", None_="n", list_="l", parse_=b"p")
    book = Book(
        name="b", author=author, sequels=[Book(name="c")], related={"x": Book(name="d")}, room=7, kind=Kind.NOVEL
    )
    again = Book.parse(bytes(book))
    assert again == book and again.author.class_ == "c" and again.sequels[0].name == "c"
    assert book.to_dict()["author"]["None"] == "n" and Book.from_dict(book.to_dict()) == book
    with pytest.raises(ValueError, match="only one of"):
        Book(shelf="s", room=1)
    assert "{{ braces }}" in (Author.__doc__ or "") and '"""triple"""' in (Author.__doc__ or "")
    assert BookInnerDeeper(n=1).n == 1
    assert BookBase(book).name == "b"


def test_the_same_bytes_whatever_the_seed_and_folder(tmp_path: Path) -> None:
    made = []
    for seed, name in (("1", "first"), ("2", "second")):
        config = project(tmp_path / name)
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", "import sys; from flyte_codegen.cli import main; sys.exit(main(sys.argv[1:]))"]
        subprocess.run(
            [*command, "generate", "--config", str(config)],
            env=environment,
            cwd=tmp_path / name,
            check=True,
            timeout=120,
        )
        made.append(tree(tmp_path / name / "out"))
    assert made[0] == made[1] and len(made[0]) > 5


def test_check_finds_every_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = project(tmp_path)
    assert run("generate", "--config", config) == 0
    output = tmp_path / "out" / "library_api"
    module = output / "messages" / "library.py"
    stamp = module.stat().st_mtime_ns
    assert run("check", "--config", config) == 0
    assert run("generate", "--config", config) == 0
    assert module.stat().st_mtime_ns == stamp, "what did not change is not written"

    (output / "messages" / "stray.py").write_text("")
    assert run("check", "--config", config) == 1
    assert "stray.py: stray" in capsys.readouterr().err
    assert run("generate", "--config", config) == 1
    assert "was not written by this tool" in capsys.readouterr().err
    assert run("generate", "--force", "--config", config) == 0
    assert not (output / "messages" / "stray.py").exists()

    module.write_text(module.read_text() + "# edited\n")
    assert run("check", "--config", config) == 1
    assert "library.py: edited by hand" in capsys.readouterr().err
    assert run("generate", "--config", config) == 1
    assert "was edited by hand" in capsys.readouterr().err
    assert run("generate", "--force", "--config", config) == 0
    assert run("check", "--config", config) == 0

    (output / "py.typed").unlink()
    assert run("check", "--config", config) == 1
    assert "py.typed: missing" in capsys.readouterr().err


def test_an_ambiguous_list_is_not_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = project(tmp_path, extra="repeated Book borrowed = 3;")
    assert run("generate", "--config", config) == 1
    told = capsys.readouterr().err
    assert "library.proto" in told and "books, borrowed" in told and 'items = "' in told
    assert not (tmp_path / "out").exists(), "nothing is half-written"
    config.write_text(config.read_text().replace("ListBooks = {}", 'ListBooks = { items = "borrowed" }'))
    assert run("generate", "--config", config) == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[entitys.X]\n", "entities"),
        ('[entities.Bad]\nmessage = "library.Nope"\nidentity = "name"\n', "library.Nope"),
        ('[entities.Bad]\nmessage = "library.Book"\nidentity = "nothing"\n', "nothing"),
        (
            '[entities.Bad]\nmessage = "library.Book"\nservice = "library.LibraryService"\nidentity = "name"\n'
            "[entities.Bad.methods]\nChat = {}\n",
            "stream",
        ),
        ("this is not toml", "TOML"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], config: str, message: str) -> None:
    assert run("generate", "--config", project(tmp_path, config=config)) == 1
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told


def test_mistakes_in_definitions_are_told_with_their_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = project(tmp_path, extra="Nope nope = 9;")
    assert run("generate", "--config", config) == 1
    assert re.search(r"library\.proto:\d+", capsys.readouterr().err)


def test_explain(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert run("explain", "RunService.ListRuns") == 0
    told = capsys.readouterr().out
    assert "effect     read" in told and "Run.listall(" in told and "-> Pager[Self]" in told
    assert run("explain", "common.ListRequest") == 0
    assert run("explain", "RunService.ListRunz") == 1


def _python(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)


def _imports(path: Path) -> set[str]:
    """Modules that are imported at run time."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        child
        for node in ast.walk(module)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(module):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
    return found


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("generated/flyte_api", r"flyte(?!\.runtime\.v1$|_api)|flyte_codegen"),
        ("src/flyte/runtime", r"flyte_api|flyte\.(remote|devbox|controller|types)|flyte_codegen"),
        ("src/flyte/remote", r"flyte\.devbox|flyte_codegen|grpclib|h2"),
        ("src/flyte/types", r"flyte\.(remote|devbox|controller)|flyte_codegen"),
        ("src/flyte/devbox", r"flyte_codegen"),
        ("codegen/flyte_codegen", r"flyte(\.|$)|flyte_api"),
    ],
)
def test_layers(folder: str, forbidden: str) -> None:
    wrong = [(p.name, m) for p in _python(folder) for m in _imports(p) if re.match(forbidden, m)]
    assert wrong == []


def test_sizes() -> None:
    long = [p for f in ("src", "codegen", "generated/flyte_api/entities") for p in _python(f) if _lines(p) > 400]
    assert long == []
    assert [p for p in (ROOT / "templates").rglob("*.j2") if _lines(p) > 80] == []


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
