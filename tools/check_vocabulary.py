"""Report banned identifiers and phrases, and the term of docs/reference/glossary.md to use instead.

`python -m tools.check_vocabulary` checks the files that Git tracks or would add, by the rules in `vocabulary.toml`. The
exit code is 1 if there are any.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import tokenize
import tomllib
from bisect import bisect
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import accumulate
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

RULES = "tools/vocabulary.toml"
CHECKED = re.compile(r".*\.(cfg|css|html|js|json|md|py|sql|tf|toml|xml|ya?ml)|(.*/)?(Dockerfile|Makefile)")
COMMENT_MARKERS = {"#", "--", "//"}
STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", None)}  # Python 3.12 splits f-strings into tokens
# The quotes of a string, blanked so that phrases continue across adjacent strings. Those of docstrings stay.
QUOTES = re.compile(r"""^\w*["'](?!["'])|(?<!["'])["']$""")
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

Position = Literal["module", "class", "function", "variable", "keyword", "prose"]
DEFINITIONS: dict[type[ast.AST], tuple[Position, str]] = {
    ast.ClassDef: ("class", "name"),
    ast.FunctionDef: ("function", "name"),
    ast.AsyncFunctionDef: ("function", "name"),
    ast.keyword: ("keyword", "arg"),  # in a call
    ast.arg: ("variable", "arg"),
    ast.alias: ("variable", "asname"),
    ast.Attribute: ("variable", "attr"),
    ast.ExceptHandler: ("variable", "name"),
    ast.MatchAs: ("variable", "name"),
    ast.Name: ("variable", "id"),
}


class Rule(BaseModel, extra="forbid"):
    """Positions that a rule applies to; `identifiers` are all of them but prose."""

    where: tuple[Position | Literal["identifiers"], ...] = ("identifiers", "prose")

    def covers(self, position: Position) -> bool:
        """Return whether the rule applies to a position."""
        return position in self.where or (position != "prose" and "identifiers" in self.where)


class Term(Rule):
    """A banned term: a regular expression over whole words, of prose or of an identifier (`RowCount`: "row count")."""

    banned: re.Pattern[str]
    use: str


class Exemption(Rule):
    """A permitted use: the text that a term matched, and a pattern of the paths."""

    text: str
    path: str = "*"
    reason: str
    used: bool = False


class Vocabulary(BaseModel, extra="forbid"):
    """The content of `vocabulary.toml`; `unchecked` maps a path to the reason why it is skipped."""

    unchecked: dict[str, str] = {}
    term: list[Term]
    exception: list[Exemption] = []

    def permits(self, path: str, position: Position, found: str) -> bool:
        """Return whether an exception permits a banned term, and mark that exception as used."""
        matching = [
            rule for rule in self.exception if rule.text == found and rule.covers(position) and fnmatch(path, rule.path)
        ]
        for rule in matching:
            rule.used = True
        return bool(matching)


def check(root: Path, vocabulary: Vocabulary) -> tuple[int, list[str]]:
    """Check all files of a repository; return their number, and a line for each problem."""
    terms = [(term, re.compile(rf"(?<!\w)(?:{term.banned.pattern})(?!\w)", re.IGNORECASE)) for term in vocabulary.term]
    files = [path for path in _files(root) if path not in vocabulary.unchecked]
    problems = []
    for path in files:
        for position, words in _texts(path, (root / path).read_text(encoding="utf-8")):
            text = " ".join(word for word, _ in words)
            starts = list(accumulate((len(word) + 1 for word, _ in words), initial=0))
            for term, pattern in terms:
                for found in pattern.finditer(text) if term.covers(position) else ():
                    if not vocabulary.permits(path, position, found[0]):
                        line = words[bisect(starts, found.start()) - 1][1]
                        problems.append(
                            f"{path}:{line}: banned {found[0]!r}: use {term.use!r} (docs/reference/glossary.md)"
                        )
    stale = [f"exception {rule.text!r} ({rule.reason})" for rule in vocabulary.exception if not rule.used]
    stale += [f"unchecked {path!r}" for path in vocabulary.unchecked if not (root / path).is_file()]
    return len(files), [*dict.fromkeys(problems), *(f"{RULES}: {rule} applies to nothing, remove it" for rule in stale)]


def _files(root: Path) -> Iterator[str]:
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603
    for path in sorted(set(listed.splitlines())):
        if CHECKED.fullmatch(path) and (root / path).is_file():
            yield path


def _texts(path: str, source: str) -> Iterator[tuple[Position, list[tuple[str, int]]]]:
    """Yield the words of each identifier, and those of all prose, with their lines."""
    if path.endswith(".py"):
        folder, module = ("", *Path(path).with_suffix("").parts)[-2:]
        yield "module", _words(folder if module == "__init__" else module, 1)
        for node in ast.walk(ast.parse(source, path)):
            position, field = DEFINITIONS.get(type(node), ("prose", ""))
            name = getattr(node, field, None)
            if name and not isinstance(getattr(node, "ctx", None), ast.Load):
                yield position, _words(name, getattr(node, "lineno", 0))
        source = _comments_and_strings(source)
    markers = set() if path.endswith(".md") else COMMENT_MARKERS
    lines = enumerate(source.split("\n"), 1)
    yield "prose", [(word, line) for line, text in lines for word in text.split() if word not in markers]


def _words(identifier: str, line: int) -> list[tuple[str, int]]:
    return [(word.lower(), line) for word in WORDS.findall(identifier)]


def _comments_and_strings(source: str) -> str:
    """Replace everything but comments and strings of several words by NUL, which separates the phrases around it."""
    starts = list(accumulate((len(line) + 1 for line in source.split("\n")), initial=0))
    prose = list(re.sub(r"\S", "\0", source))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = token.string
        if token.type == tokenize.COMMENT or (token.type in STRINGS and re.search(r'\s|"""', text)):
            begin = starts[token.start[0] - 1] + token.start[1]
            prose[begin : begin + len(text)] = QUOTES.sub(lambda quote: " " * len(quote[0]), text)
    return "".join(prose)


def main() -> None:
    """Check the repository in the working directory, or another one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="root of the repository")
    root: Path = parser.parse_args().root
    try:
        vocabulary = Vocabulary.model_validate(tomllib.loads((root / RULES).read_text(encoding="utf-8")))
        files, problems = check(root, vocabulary)
    except (OSError, SyntaxError, ValueError, subprocess.CalledProcessError) as error:
        parser.error(str(error))  # exit code 2
    if problems:
        print(*problems, sep="\n")
        raise SystemExit(1)
    print(f"vocabulary: {files} files use the terms of docs/reference/glossary.md")


if __name__ == "__main__":
    main()
