"""Pages of the documentation: their code blocks and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w/]+\.(?:py|sql))`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: such as `sh`, `python` or `diff`.
        before: text between the previous block and this one.
    """

    language: str
    text: str
    before: str

    @property
    def file(self) -> str:
        """Name of the file that the text before the block says it is the content of: the last one it mentions."""
        *_, last = FILE.finditer(self.before)
        return last[1]


def markdown_pages() -> list[Path]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"]
    return sorted(pages)


def blocks(page: Path) -> Iterator[Block]:
    text, end = page.read_text(), 0
    for match in FENCED.finditer(text):
        yield Block(match[2], dedent(match[3]), text[end : match.start()])
        end = match.end()


def links(page: Path) -> set[str]:
    """Return the links of a page to other pages of the repository, and to its own headings."""
    text = FENCED.sub("", page.read_text())
    return {link for link in LINK.findall(text) if not re.match(r"https?:", link)}


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub names them."""
    headings = HEADING.findall(FENCED.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
