"""Spiders that are written as YAML: :func:`load` makes one of a file.

``schema`` says what there is, ``parts`` what it is made of, ``leaves`` what single values must be; ``reading`` reads a
file by it. ``places`` is where values stand, ``steps`` what they go through, ``itemclasses`` makes items of them,
``following`` finds where a page leads, ``pages`` puts them together. docs/declarative.md describes every key.
"""

from scrapekit.declarative.spider import DeclarativeSpider, load

__all__ = ["DeclarativeSpider", "load"]
