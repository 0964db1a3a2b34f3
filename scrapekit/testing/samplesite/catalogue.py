"""What the sample site is about: books, categories, authors and quotes, drawn from a seeded generator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

_T = TypeVar("_T")

CATEGORIES = (
    "Travel", "Mystery", "Historical Fiction", "Sequential Art", "Classics", "Philosophy", "Romance", "Fiction",
    "Childrens", "Religion", "Nonfiction", "Music", "Science Fiction", "Sports", "Fantasy", "New Adult", "Young Adult",
    "Science", "Poetry", "Paranormal", "Art", "Psychology", "Autobiography", "Parenting", "Adult Fiction", "Humor",
    "Horror", "History", "Food and Drink", "Christian Fiction", "Business", "Biography", "Thriller", "Contemporary",
    "Spirituality", "Academic", "Self Help", "Historical", "Christian", "Suspense", "Short Stories", "Novels",
    "Health", "Politics", "Cultural", "Erotica", "Crime", "Gardening", "Maps & Atlases", "Sailing",
)  # fmt: skip
_WORDS = (
    "amber", "anchor", "autumn", "bridge", "candle", "captain", "castle", "circle", "cloud", "coast", "copper",
    "crown", "daughter", "desert", "dream", "echo", "ember", "engine", "falcon", "feather", "field", "fire",
    "forest", "fountain", "garden", "ghost", "glass", "harbour", "heart", "hill", "history", "horizon", "house",
    "island", "journey", "key", "kingdom", "lake", "lantern", "letter", "light", "lion", "map", "memory", "mirror",
    "moon", "morning", "mountain", "night", "ocean", "orchard", "paper", "path", "promise", "queen", "rain",
    "raven", "river", "road", "salt", "sea", "secret", "shadow", "silence", "silver", "sky", "snow", "song",
    "spark", "star", "stone", "storm", "stranger", "summer", "thief", "thunder", "tide", "tower", "train", "valley",
    "voice", "voyage", "wall", "water", "whisper", "wind", "window", "winter", "wolf", "wood", "word",
)  # fmt: skip
_TITLES = (
    "The {} of the {}", "{} and {}", "A {} in the {}", "The {}'s {}", "{} & {}", "The Last {} (The {} Trilogy #1)",
    "{}: A History of the {}", 'How the {} Got Its "{}"', "{} < {}", "The Café by the {} and the {}",
)  # fmt: skip
_FIRST = ("Ada", "Bruno", "Clara", "Dmitri", "Élise", "Farid", "Grace", "Hugo", "Iris", "Jorge")
_LAST = ("Almeida", "Brontë", "Carver", "Duval", "Eriksen", "Ferrante", "Grimm", "Hardy", "Ivanov", "Joyce")
_MONTHS = ("January", "March", "May", "July", "September", "November")
LATIN_1_TITLE = "Élégie pour une façade à Besançon"
SHIFT_JIS_TITLE = "雪国の夜と銀河の旅"


@dataclass(frozen=True, slots=True)
class Category:
    """A category with its number, which is a part of its URL."""

    name: str
    number: int

    @property
    def folder(self) -> str:
        """The path of its lists, with the slash at the end."""
        return f"/catalogue/category/books/{slug(self.name)}_{self.number}/"


@dataclass(frozen=True, slots=True)
class Book:
    """One book. ``price`` is in pence, ``rating`` 1 to 5, ``encoding`` is the codec in which its page is served."""

    number: int
    title: str
    category: Category
    price: int
    rating: int
    stock: int
    upc: str
    description: str
    encoding: str = "utf-8"

    @property
    def path(self) -> str:
        """Where its page lies."""
        return f"/catalogue/{slug(self.title)}_{self.number}/index.html"

    @property
    def old_path(self) -> str:
        """Where its page lay before, if it has moved."""
        return f"/catalogue/{slug(self.title)}-{self.number}.html"


@dataclass(frozen=True, slots=True)
class Author:
    """Who said it."""

    name: str
    born: str
    place: str
    description: str

    @property
    def path(self) -> str:
        """Where the author's page lies, without the slash at the end that the site redirects to."""
        return f"/quotes/author/{slug(self.name, lower=False)}"


@dataclass(frozen=True, slots=True)
class Quote:
    """One quote."""

    text: str
    author: Author
    tags: tuple[str, ...]


def make_books(random: Random, count: int) -> list[Book]:
    """``count`` books, numbered downwards, as on books.toscrape.com. The first two are not in UTF-8."""
    categories = [Category(name, number) for number, name in enumerate(CATEGORIES, 2)]
    weights = [random.uniform(0.3, 2.0) for _ in categories]
    books = []
    for index, number in enumerate(range(count, 0, -1)):
        title, encoding = _title(random), "utf-8"
        if index < 2:
            title, encoding = ((LATIN_1_TITLE, "iso-8859-1"), (SHIFT_JIS_TITLE, "shift_jis"))[index]
        books.append(
            Book(
                number=number,
                title=title,
                category=random.choices(categories, weights)[0],
                price=random.randint(1000, 5999),
                rating=random.randint(1, 5),
                stock=random.randint(1, 22),
                upc=f"{random.getrandbits(64):016x}",
                description=" ".join(_sentence(random) for _ in range(random.randint(5, 20))),
                encoding=encoding,
            )
        )
    random.shuffle(books)
    return books


def make_quotes(random: Random, count: int) -> list[Quote]:
    """``count`` quotes by at most 30 authors, with none to four tags each."""
    names = random.sample([f"{first} {last}" for first in _FIRST for last in _LAST], 30)
    authors = [_author(random, name) for name in names]
    return [
        Quote(
            text=f"“{_sentence(random)}”",
            author=random.choice(authors),
            tags=tuple(random.sample(_WORDS[:30], random.randint(0, 4))),
        )
        for _ in range(count)
    ]


def slug(text: str, *, lower: bool = True) -> str:
    """``text`` as a piece of a path: ASCII letters and digits, joined by hyphens; ``untitled`` if it has none."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text.lower() if lower else text).strip("-") or "untitled"


def chunks(values: Sequence[_T], size: int) -> list[Sequence[_T]]:
    """``values`` in pieces of ``size``; one empty piece if there are none."""
    return [values[start : start + size] for start in range(0, len(values) or 1, size)]


def _author(random: Random, name: str) -> Author:
    born = f"{random.choice(_MONTHS)} {random.randint(1, 30):02}, {random.randint(1600, 1980)}"
    place = f"in {random.choice(_WORDS).title()}{random.choice(('ton', 'ford', 'by', 'burg'))}"
    return Author(name, born, place, " ".join(_sentence(random) for _ in range(12)))


def _title(random: Random) -> str:
    return random.choice(_TITLES).format(*(word.title() for word in random.sample(_WORDS, 2)))


def _sentence(random: Random) -> str:
    words = random.choices(_WORDS, k=random.randint(6, 16))
    return f"{words[0].title()} {' '.join(words[1:])}."
