"""The vocabulary check, on small repositories with a vocabulary of their own, and the project's vocabulary."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import check_vocabulary
from tools.check_vocabulary import RULES, Vocabulary, check

PROJECT = Path(check_vocabulary.__file__).parents[1]
TERMS = """
term = [
    { banned = 'frob(s|bed)?', use = "validate" },
    { banned = '^gizmo$', use = "queries", where = ["module"] },
    { banned = 'in the olden way', use = "with SIGKILL", where = ["prose"] },
    { banned = '\"\"\"(what|how)', use = "a noun phrase", where = ["prose"] },
    { banned = '(?-i:none) of it', use = "missing", where = ["prose"] },
]
"""

Check = Callable[..., list[str]]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty Git repository."""
    command = ["git", "init", "--quiet", str(tmp_path)]
    subprocess.run(command, check=True)
    return tmp_path


@pytest.fixture
def problems(repository: Path) -> Check:
    """Write one file, and check the repository by the terms above and further rules."""

    def check_file(path: str, content: str, rules: str = "") -> list[str]:
        write(repository, path, content)
        return check(repository, Vocabulary.model_validate(tomllib.loads(TERMS + rules)))[1]

    return check_file


def write(root: Path, path: str, content: str) -> None:
    """Write a file, and the folders above it."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("class FrobThing: ...", id="class"),
        pytest.param("def _frobbed(): ...", id="function"),
        pytest.param("async def frob_rows(): ...", id="coroutine"),
        pytest.param("def f(frob, /): ...", id="positional argument"),
        pytest.param("def f(*, frob=1): ...", id="keyword-only argument"),
        pytest.param("def f(*frobs): ...", id="variadic argument"),
        pytest.param("FROB_LIMIT = 1", id="constant"),
        pytest.param("frob: int = 1", id="annotated variable"),
        pytest.param("for _, frob in []: ...", id="loop variable"),
        pytest.param("[frob for frob in []]", id="comprehension"),
        pytest.param("(frob := 1)", id="assignment expression"),
        pytest.param("x.frobbed = 1", id="attribute"),
        pytest.param("with open('x') as frob: ...", id="context manager"),
        pytest.param("import json as frob", id="import alias"),
        pytest.param("print(frob=1)", id="keyword of a call"),
    ],
)
def test_identifier_is_found_in_each_position(problems: Check, source: str) -> None:
    [problem] = problems("a/b.py", f"x = 1\n\n{source}\n")
    assert re.fullmatch(r"a/b\.py:3: banned 'frob(s|bed)?': use 'validate' \(docs/reference/glossary\.md\)", problem)


@pytest.mark.parametrize(
    ("source", "line"), [("try: ...\nexcept OSError as frob: ...", 2), ("match 1:\n    case frob: ...", 2)]
)
def test_captured_name_is_found(problems: Check, source: str, line: int) -> None:
    assert problems("b.py", source) == [f"b.py:{line}: banned 'frob': use 'validate' (docs/reference/glossary.md)"]


@pytest.mark.parametrize("path", ["frob.py", "a/test_frob.py", "frob/__init__.py", "gizmo.py", "gizmo/__init__.py"])
def test_module_is_found_by_its_name(problems: Check, path: str) -> None:
    [problem] = problems(path, "")
    assert problem.startswith(f"{path}:1: banned ")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        pytest.param("a.py", "frobnicate = defrob = 1", id="longer words"),
        pytest.param("a.py", "print(x.frob, frob)", id="names that are only used"),
        pytest.param("a.py", "x = [\"frob\", 'frobbed']", id="strings of one word"),
        pytest.param("a.py", "olden = in_the\nway = olden", id="code that reads like prose"),
        pytest.param("a.py", 'x = "in the"\ny = "olden way"', id="separate strings"),
        pytest.param("a.py", "# is None of it", id="another case where case counts"),
        pytest.param("a.md", "The olden way.", id="part of a phrase"),
        pytest.param("a_gizmo.py", "gizmo = 1", id="module with a longer name"),
    ],
)
def test_ordinary_use_passes(problems: Check, path: str, source: str) -> None:
    assert problems(path, source) == []


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("a.py", "# Stop it in the\n# olden way.", id="comment of two lines"),
        pytest.param("a.py", "x = 1  # in the olden way\ny = 2", id="comment behind code"),
        pytest.param("a.py", '"""Stop it in the\nolden way."""', id="docstring"),
        pytest.param("a.py", 'print("stop it in the"\n    f" olden way, {1}")', id="adjacent strings"),
        pytest.param("a.md", "Stopped in the\nolden way.", id="Markdown"),
        pytest.param("a.sql", "-- stopped in the\n-- olden way\nselect 1", id="SQL"),
        pytest.param("infra/a.tf", "# stopped in the\n# olden way", id="Terraform"),
        pytest.param("infra/a.yaml", "description: stopped in the\n  olden way", id="YAML"),
        pytest.param("a.js", "// stopped in the\n// olden way", id="JavaScript"),
        pytest.param("a.html", "<p>stopped in the\nolden way</p>", id="HTML"),
        pytest.param("Makefile", "stop: ## stop in the olden way\n\n", id="Makefile"),
    ],
)
def test_phrase_is_found_across_lines(problems: Check, path: str, content: str) -> None:
    assert problems(path, content) == [
        f"{path}:1: banned 'in the olden way': use 'with SIGKILL' (docs/reference/glossary.md)"
    ]


def test_docstring_is_checked_at_its_beginning(problems: Check) -> None:
    assert problems("a.py", '"""What it does."""\n\nx = "What it does"\n\n\ndef f():\n    """Say what."""') == [
        "a.py:1: banned '\"\"\"What': use 'a noun phrase' (docs/reference/glossary.md)"
    ]


def test_each_line_is_reported_once(problems: Check) -> None:
    assert len(problems("a.py", "frob = frob = 1\nfrob = 2")) == 2


def test_exception_permits_a_term_at_its_path_and_position(problems: Check) -> None:
    rules = '[[exception]]\ntext = "frob"\npath = "vendor/*"\nwhere = ["keyword"]\nreason = "upstream name"'
    assert problems("vendor/a.py", "print(frob=1)", rules) == []
    assert problems("vendor/b.py", "frob = 1", rules) == [
        "vendor/b.py:1: banned 'frob': use 'validate' (docs/reference/glossary.md)"
    ]
    assert len(problems("a.py", "print(frob=1)", rules)) == 2


def test_exception_that_permits_nothing_is_reported(problems: Check) -> None:
    rules = '[[exception]]\ntext = "frob"\nreason = "upstream name"'
    assert problems("a.py", "frobs = 1", rules) == [
        "a.py:1: banned 'frobs': use 'validate' (docs/reference/glossary.md)",
        "tools/vocabulary.toml: exception 'frob' (upstream name) applies to nothing, remove it",
    ]


def test_unchecked_file_is_skipped_and_reported_when_it_is_gone(problems: Check, repository: Path) -> None:
    rules = '[unchecked]\n"old.md" = "lists old names"'
    assert problems("old.md", "frob", rules) == []
    (repository / "old.md").unlink()
    assert problems("new.md", "text", rules) == [
        "tools/vocabulary.toml: unchecked 'old.md' applies to nothing, remove it"
    ]


def test_files_that_git_ignores_and_other_formats_are_skipped(problems: Check, repository: Path) -> None:
    write(repository, ".gitignore", "build/\n")
    write(repository, "requirements.lock", "frob")
    assert problems("build/a.py", "frob = 1") == []


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Run the command line; returns its exit code, None for success."""
    monkeypatch.setattr(sys, "argv", ["check_vocabulary", *arguments])
    try:
        check_vocabulary.main()
    except SystemExit as ended:
        return ended.code
    return None


def test_command_line_exits_with_0_without_problems_and_1_with_problems(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, RULES, TERMS + f'[unchecked]\n"{RULES}" = "lists the terms"')
    write(repository, "a.py", "x = 1\n")
    assert run(monkeypatch, str(repository)) is None
    assert capsys.readouterr().out == "vocabulary: 1 files use the terms of docs/reference/glossary.md\n"
    write(repository, "a.py", "frob = 1\n")
    assert run(monkeypatch, str(repository)) == 1
    assert capsys.readouterr().out == "a.py:1: banned 'frob': use 'validate' (docs/reference/glossary.md)\n"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("term = [", "Invalid"),
        ("term = [{ banned = '(', use = 'x' }]", "valid regular expression"),
        ("term = [{ banned = 'x' }]", "use"),
        ("term = [{ banned = 'x', use = 'y', where = ['proze'] }]", "where"),
        ("term = []\n[[exception]]\ntext = 'x'", "reason"),
    ],
)
def test_invalid_vocabulary_is_wrong_usage(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rules: str, message: str
) -> None:
    write(repository, RULES, rules)
    assert run(monkeypatch, str(repository)) == 2
    assert message in capsys.readouterr().err


def test_source_with_a_syntax_error_and_a_missing_folder_are_wrong_usage(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, RULES, TERMS)
    write(repository, "a.py", "def\n")
    assert run(monkeypatch, str(repository)) == 2
    assert "a.py" in capsys.readouterr().err
    assert run(monkeypatch, str(repository / "nowhere")) == 2
    assert run(monkeypatch, "--unknown") == 2


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """The vocabulary of the project."""
    return Vocabulary.model_validate(tomllib.loads((PROJECT / RULES).read_text()))


def banned(repository: Path, vocabulary: Vocabulary) -> list[str]:
    """Return the banned terms that the project's vocabulary finds, without stale exceptions."""
    _, found = check(repository, vocabulary)
    return [problem for problem in found if ": banned " in problem]


IDENTIFIERS = """judge _judged Misfit misfits Fit fitting kind kinds RecordKind KINDS by_kind apart Together doubled
    INVENTED altered FLEET Pulse news Coverage Admission Watched _Auditor audit audits accounted planted""".split()  # noqa: SIM905 - readable in lines
MODULES = "lakehouse messaging emulation world work answer watch observed envelope planted limits media".split()  # noqa: SIM905
PHRASES = """what became of, what becomes of, where there is none, where there are none, so many, of now, by now, anew,
    does not fit, do not fit, accounted for, set aside, is there no more, how far it has come, sees to it, in words,
    look at its name, without a word, nobody has asked, runs the day, a day's queries, record kind, the auditor,
    the hard way, as everybody calls it, whoever, of ours, it is none, row is doubled""".split(",")  # noqa: SIM905


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_vocabulary_bans_an_identifier(repository: Path, vocabulary: Vocabulary, name: str) -> None:
    write(repository, "a.py", f"{name} = 1")
    assert len(banned(repository, vocabulary)) == 1


@pytest.mark.parametrize("name", MODULES)
def test_vocabulary_bans_a_module(repository: Path, vocabulary: Vocabulary, name: str) -> None:
    write(repository, f"{name}.py", "")
    assert len(banned(repository, vocabulary)) == 1


@pytest.mark.parametrize("phrase", PHRASES)
def test_vocabulary_bans_a_phrase(repository: Path, vocabulary: Vocabulary, phrase: str) -> None:
    write(repository, "a.md", f"Text, {phrase.strip()} text.")
    assert len(banned(repository, vocabulary)) == 1


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("a.py", '@dg.asset(kinds={"s3"})\ndef benefit() -> None: ...', id="the kinds of Dagster"),
        pytest.param("a.py", "observed = progress.observedMetrics", id="observed metrics of Spark"),
        pytest.param("a.py", "class AssetObservation: ...\noutfits = emulation = work = answer = 1", id="other words"),
        pytest.param(
            "a.py", "# If x is None, answer a request; each kind of window; there are no more pages.", id="text"
        ),
        pytest.param(
            "a.md", "A record that does not fit into memory; records of the day; of the day before.", id="day"
        ),
        pytest.param("a.md", "The delay is doubled on each retry, and there is no date.", id="doubled delay"),
        pytest.param("a.json", '["arn:aws:ec2:eu-west-1:1:fleet/*"]', id="fleets of EC2"),
        pytest.param("a.sql", "alter table t add column kind text", id="SQL"),
    ],
)
def test_vocabulary_passes_ordinary_english_and_names_of_libraries(
    repository: Path, vocabulary: Vocabulary, path: str, content: str
) -> None:
    write(repository, path, content)
    assert banned(repository, vocabulary) == []
