"""Lays the pages of docs/SUMMARY.md out as mdBook wants them, and checks what mdBook made of them.

    python3 scripts/book/pages.py lay FOLDER      copies the pages and their pictures into FOLDER, at their own paths
    python3 scripts/book/pages.py check FOLDER    every link and every picture in FOLDER's HTML is there

In the repository a link may point to any file. In the book there are only pages, so a link to anything else becomes plain text.
"""

import html.parser
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """What SUMMARY.md lists, as paths below the root."""
    summary = (ROOT / "docs/SUMMARY.md").read_text()
    return [Path(os.path.normpath(Path("docs") / link[2])) for link in LINK.findall(summary)]


def place(page: Path) -> Path:
    """Where a page lies in the book: a folder's page is its `index`."""
    return page.with_name("index.md") if page.name == "README.md" else page


def lay(folder: Path) -> None:
    book = set(pages())
    pictures: set[Path] = set()

    def rewrite(page: Path, match: re.Match) -> str:
        picture, text, link = match.groups()
        path, _, anchor = link.partition("#")
        if "://" in link or not path:
            return match.group(0)
        target = Path(os.path.normpath(page.parent / path))
        if picture:
            pictures.add(target)
            return match.group(0)
        target = target / "README.md" if target / "README.md" in book else target
        if target not in book:
            return text
        return f"[{text}]({os.path.relpath(place(target), page.parent)}{'#' + anchor if anchor else ''})"

    for page in book:
        out = folder / place(page)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(LINK.sub(lambda match: rewrite(page, match), (ROOT / page).read_text()))
    for picture in pictures:
        (folder / picture).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / picture, folder / picture)
    summary = (ROOT / "docs/SUMMARY.md").read_text()
    summary = LINK.sub(lambda m: f"[{m[2]}]({place(Path(os.path.normpath(Path('docs') / m[3])))})", summary)
    (folder / "SUMMARY.md").write_text(summary)


class Page(html.parser.HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if (tag, name) in {("a", "href"), ("img", "src")} and value:
                self.links.append(value)


def check(folder: Path) -> None:
    read = {path: Page(path.read_text()) for path in folder.rglob("*.html") if path.name not in {"print.html", "toc.html"}}
    broken = []
    for path, page in read.items():
        for link in page.links:
            if path.name == "404.html" or re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = unquote(link).partition("#")
            target = Path(os.path.normpath(path.parent / name)) if name else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and target in read and anchor not in read[target].anchors):
                broken.append(f"{path.relative_to(folder)}: {link}")
    if broken or len(read) < 10:
        sys.exit("book: broken links:\n" + "\n".join(broken))
    print(f"book: {len(read)} pages, {sum(len(page.links) for page in read.values())} links, all of them lead somewhere")


if __name__ == "__main__":
    {"lay": lay, "check": check}[sys.argv[1]](Path(sys.argv[2]))
