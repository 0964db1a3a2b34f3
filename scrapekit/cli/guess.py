"""Guesses what a page is made of: the records that repeat, their fields, the link to the next page. Pure.

For the thread that parsed the page. A guess is a start for a spider, to be read by a person: what is doubtful is left
out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from scrapekit.messages import Response

_NAME = re.compile(r"-?[A-Za-z_][A-Za-z0-9_-]*")  # of a class that needs no escape in CSS
_NEXT_TEXT = re.compile(
    r"\W*(next|older)(?: (?:page|posts|results|entries))?\W*|([\u00bb\u203a])",  # the two are quotation marks
    re.IGNORECASE,
)
_NEXT_CLASS = re.compile(r"(?:^|[-_])next(?:$|[-_])", re.IGNORECASE)
_SKIPPED = {"script", "style", "noscript", "template", "svg", "option", "button", "br", "hr"}
_FRAMES = ("nav", "header", "footer", "aside", "head", "select", "form")  # where lists are not what the page is about
_RECORDS = 3  # fewer are no list
_FIELDS = 12
_LOOKED_AT = 50  # records


class Field(NamedTuple):
    """One field of a record.

    Args:
        name: A key for the item.
        query: A CSS selector with ``::text`` or ``::attr()``, to be run on the record.
        many: Whether records have several of it.
    """

    name: str
    query: str
    many: bool


class Guess(NamedTuple):
    """What a page seems to be.

    Args:
        records: A CSS selector of the records.
        size: How many there are.
        fields: Theirs.
    """

    records: str
    size: int
    fields: list[Field]


def records(response: Response) -> Guess | None:
    """The list that the page is about; None if there seems to be none."""
    best: tuple[float, Guess] | None = None
    for group in () if response.doc.root == "" else _groups(response.doc.root):  # a page without any element
        members = _inner(group)
        query = _query(response, members)
        fields = _fields(members) if query else []
        if not fields:
            continue
        text = sum(len("".join(member.itertext()).strip()) for member in members[:_LOOKED_AT])
        framed = any(above.tag in _FRAMES for above in members[0].iterancestors())
        worth = min(text, 20_000) * min(len(fields), 6) / (20 if framed else 1)
        if best is None or worth > best[0]:
            best = worth, Guess(query, len(members), fields)
    return best[1] if best else None


def next_page(response: Response) -> str | None:
    """A CSS selector of the link to the next page of the list; None where none is seen."""
    candidates = ['a[rel~="next"]', 'link[rel~="next"]']
    for link in response.css("a[href]"):
        for element in (link.root, link.root.getparent()):
            named = [name for name in _classes(element) if _NEXT_CLASS.search(name)]
            candidates += [_step(element.tag, named[:1]) + ("" if element.tag == "a" else " a")] if named else []
    for link in response.css("a[href]"):
        if said := _NEXT_TEXT.fullmatch(" ".join("".join(link.root.itertext()).split())):
            candidates.append(f'a:contains("{said[1] or said[2]}")')
    for query in candidates:
        found = list(response.follow_all(query))
        if len({request.url for request in found}) == 1 and found[0].url != response.url:
            return query
    return None


def _groups(root: Any) -> Iterator[list[Any]]:
    """Elements that stand beside each other and look alike."""
    for parent in root.iter():
        if not isinstance(parent.tag, str) or parent.tag in _SKIPPED:
            continue
        alike: dict[Any, list[Any]] = defaultdict(list)
        for child in parent:
            if isinstance(child.tag, str) and child.tag not in _SKIPPED and child.tag not in {"td", "th"}:
                is_head = child.tag == "tr" and child.find("td") is None
                alike[child.tag, is_head, _classes(child)[:1]].append(child)
        yield from (group for group in alike.values() if len(group) >= _RECORDS)


def _inner(group: Sequence[Any]) -> list[Any]:
    """The records themselves, where each stands alone in a wrapper: ``li > article``."""
    inner = list(group)
    while all(len(member) == 1 and not (member.text or "").strip() and len(member[0]) for member in inner):
        inner = [member[0] for member in inner]
    return inner


def _query(response: Response, members: Sequence[Any]) -> str:
    """A CSS selector that selects exactly ``members``; empty where no short one does."""
    shared = set(_classes(members[0])).intersection(*map(_classes, members))
    named = [name for name in _classes(members[0]) if name in shared]
    own = "tr:has(td)" if members[0].tag == "tr" and not named else _step(members[0].tag, named[:2])
    steps = own
    wanted = set(members)
    for above in (None, *list(members[0].iterancestors())[:4]):
        if above is not None:
            label = f"#{above.get('id')}" if _NAME.fullmatch(above.get("id") or "") else ""
            steps = f"{_step(above.tag, _classes(above)[:1])}{label} > {steps}"
        if {found.root for found in response.css(steps)} == wanted:
            return steps
    return ""


def _fields(members: Sequence[Any]) -> list[Field]:
    """What differs from record to record: texts, links, images, dates."""
    looked = members[:_LOOKED_AT]
    values: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    names: dict[tuple[str, str], str] = {}
    for member in looked:
        of_one: dict[tuple[str, str], list[str]] = defaultdict(list)
        for element, path in _below(member):
            for kind, value in _values(element):
                of_one[path, kind].append(value)
                names.setdefault((path, kind), _field_name(element, kind))
        for key, found in of_one.items():
            values[key].append(found)
    fields: list[Field] = []
    seen: set[str] = set()
    for (path, kind), lists in values.items():
        told = repr(lists)
        if len(lists) * 2 < len(looked) or told in seen or len({tuple(found) for found in lists}) == 1:
            continue  # rare, told already, or the same in all
        seen.add(told)
        query = f"{path}{kind}" if path else kind
        fields.append(Field(names[path, kind], query, any(len(found) > 1 for found in lists)))
    return _named(fields[:_FIELDS])


def _below(record: Any) -> Iterator[tuple[Any, str]]:
    """The record (with an empty path) and each element in it, with a short CSS selector of it within the record."""
    yield record, ""
    for element in record.iterdescendants():
        if not isinstance(element.tag, str) or any(above.tag in _SKIPPED for above in (element, element.getparent())):
            continue
        if element.tag in {"td", "th"}:
            yield element, f"{element.tag}:nth-child({element.getparent().index(element) + 1})"
            continue
        path = _step(element.tag, _classes(element)[:1])
        above = element.getparent()
        if path == element.tag and above is not record:  # no class: it is found by its parent
            if above.tag in {"td", "th"}:
                path = f"{above.tag}:nth-child({above.getparent().index(above) + 1}) > {path}"
            else:
                path = f"{_step(above.tag, _classes(above)[:1])} > {path}"
        yield element, path


def _values(element: Any) -> Iterator[tuple[str, str]]:
    """What an element itself has to say, by the pseudo-element that selects it."""
    text = (element.text or "").strip()
    title = (element.get("title") or "").strip()
    if title and (text == title or text.endswith(("...", "\N{HORIZONTAL ELLIPSIS}"))):
        yield "::attr(title)", title
    elif text:
        yield "::text", text
    for name in {"a": ["href"], "img": ["src"], "time": ["datetime"]}.get(element.tag, []):
        value = (element.get(name) or "").strip()
        if value and not value.startswith(("#", "javascript:", "data:", "mailto:")):
            yield f"::attr({name})", value


def _field_name(element: Any, kind: str) -> str:
    plain = {"::attr(href)": "url", "::attr(src)": "image", "::attr(datetime)": "date"}.get(kind)
    if plain:
        return plain
    if element.tag in {"td", "th"} or element.getparent().tag in {"td", "th"}:
        return _column(element) or f"column_{_cell(element) + 1}"
    for word in (element.get("itemprop"), *_classes(element)):
        if word and (name := _identifier(word)):
            return name
    near = {element.tag, element.getparent().tag}
    return "title" if near & {"h1", "h2", "h3", "h4", "h5", "a"} else "text"


def _cell(element: Any) -> int:
    cell = element if element.tag in {"td", "th"} else element.getparent()
    return int(cell.getparent().index(cell))


def _column(element: Any) -> str:
    """What the header of the table calls the column."""
    table = next(element.iterancestors("table"), None)
    heads = [] if table is None else table.xpath("(.//tr[th][not(td)])[1]/th")
    at = _cell(element)
    return _identifier("".join(heads[at].itertext())) if at < len(heads) else ""


def _identifier(word: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", word.strip().lower()).strip("_")[:30]
    return name if name[:1].isalpha() else ""


def _named(fields: Sequence[Field]) -> list[Field]:
    """The fields with names that differ."""
    often: Counter[str] = Counter()
    named = []
    for field in fields:
        often[field.name] += 1
        again = often[field.name] > 1
        named.append(field._replace(name=f"{field.name}_{often[field.name]}") if again else field)
    return named


def _classes(element: Any) -> tuple[str, ...]:
    return tuple(name for name in (element.get("class") or "").split() if _NAME.fullmatch(name))


def _step(tag: str, classes: Sequence[str]) -> str:
    return "".join([tag, *(f".{name}" for name in classes)])
