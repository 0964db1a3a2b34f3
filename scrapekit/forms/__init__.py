"""Forms of a page, filled in and submitted as a browser does it (HTML Standard §4.10)."""

from scrapekit.forms.form import Form

__all__ = ["Form"]
