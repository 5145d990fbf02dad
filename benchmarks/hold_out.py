"""Split a folder of LAReQA by article, to choose settings without looking at what is measured.

python benchmarks/hold_out.py lareqa/mlqa-r OUTPUT [--share 0.15] [--seed 0]

Writes OUTPUT/train and OUTPUT/held-out in LAReQA's own form. Whole English articles are held out until they
hold the share of questions; in the other languages the paragraphs with those questions are. Held-out passages
are all sentences of these paragraphs, so that ranking there is like ranking in the benchmark.
"""

import argparse
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from panglot.files import write_json

Article = dict[str, Any]


def main() -> None:
    """Choose questions, write both parts, say how many questions each has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--share", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    held = chosen(read(arguments.folder / "en.json"), arguments.share, arguments.seed)
    for path in sorted(arguments.folder.glob("*.json")):
        articles = read(path)
        parts = {"train": lambda name: name not in held, "held-out": lambda name: name in held}
        for part, wanted in parts.items():
            kept = [article for article in (restricted(article, wanted) for article in articles) if article]
            write_json(arguments.output / part / path.name, {"data": kept})
            print(f"{path.stem} {part}: {sum(len(questions(article)) for article in kept)} questions")


def read(path: Path) -> list[Article]:
    """Return the articles of a file."""
    articles: list[Article] = json.loads(path.read_text(encoding="utf-8"))["data"]
    return articles


def questions(article: Article) -> list[str]:
    """Return the ids of an article's questions."""
    return [question["id"] for paragraph in article["paragraphs"] for question in paragraph["qas"]]


def chosen(articles: list[Article], share: float, seed: int) -> set[str]:
    """Return the questions of random articles, as few as hold the share."""
    total = sum(len(questions(article)) for article in articles)
    held: set[str] = set()
    order = list(articles)
    random.Random(seed).shuffle(order)
    for article in order:
        if len(held) >= share * total:
            break
        held |= set(questions(article))
    return held


def restricted(article: Article, wanted: Callable[[str], bool]) -> Article | None:
    """Return an article's paragraphs with wanted questions, and those alone; None if none has any."""
    paragraphs = [
        {**paragraph, "qas": kept}
        for paragraph in article["paragraphs"]
        if (kept := [question for question in paragraph["qas"] if wanted(question["id"])])
    ]
    return {**article, "paragraphs": paragraphs} if paragraphs else None


if __name__ == "__main__":
    main()
