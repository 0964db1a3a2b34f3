"""How the sample site looks: the markup, and so the CSS selectors, of books.toscrape.com and quotes.toscrape.com."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from scrapekit.testing.samplesite.catalogue import Author, Book, Quote

RATINGS = ("Zero", "One", "Two", "Three", "Four", "Five")
_STAR = '<i class="icon-star"></i>'


def page(title: str, body: str, *, root: str = "/", charset: str | None = "utf-8") -> str:
    """A whole page. ``root`` is the path back to the site's root; ``charset`` is what its meta tag declares."""
    meta = f'<meta http-equiv="content-type" content="text/html; charset={charset}">' if charset else ""
    return f"""<!DOCTYPE html>
<html lang="en-us">
<head>
<title>{escape(title)}</title>
{meta}
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="{root}static/style.css">
</head>
<body id="default" class="default">
<header class="header container-fluid">
<div class="col-sm-8 h1"><a href="{root}index.html">Books to Scrape</a><small> We love being scraped!</small></div>
</header>
<div class="container-fluid page">
{body}
</div>
<footer class="footer container-fluid">
<a href="/quotes/">Quotes</a> <a href="/private/">Staff only</a> <a href="/media/catalogue.pdf">Catalogue (PDF)</a>
<a href="/media/terms">Terms</a> <a href="mailto:books@example.org">Write to us</a> <a href="#default">Top</a>
</footer>
</body>
</html>
"""


def pod(book: Book, href: str) -> str:
    """A book on a list page."""
    title = escape(book.title)
    short = escape(book.title if len(book.title) < 20 else f"{book.title[:17].rstrip()} ...")
    return f"""<li class="col-xs-6 col-sm-4 col-md-3 col-lg-3">
<article class="product_pod">
<div class="image_container"><a href="{href}"><img src="/media/cover.svg" alt="{title}" class="thumbnail"></a></div>
{_stars(book.rating)}
<h3><a href="{href}" title="{title}">{short}</a></h3>
<div class="product_price">
<p class="price_color">{_price(book)}</p>
<p class="instock availability">
<i class="icon-ok"></i>

In stock

</p>
<form><button type="submit" class="btn btn-primary btn-block">Add to basket</button></form>
</div>
</article>
</li>"""


def book_list(
    heading: str,
    pods: Iterable[str],
    categories: Sequence[tuple[str, str]],
    pager: tuple[int, int, str, str],
    root: str,
) -> str:
    """A list page.

    Args:
        heading: Its title.
        pods: Its books.
        categories: Name and link of each category, for the side bar.
        pager: The page's number, the number of pages, the link to the previous and to the next page (or ``""``).
        root: The path back to the site's root.
    """
    number, last, previous, following = pager
    side = "\n".join(f'<li><a href="{href}">\n{escape(name)}\n</a></li>' for name, href in categories)
    turn = f'<li class="previous"><a href="{previous}">previous</a></li>' if previous else ""
    turn += f'<li class="current">\nPage {number} of {last}\n</li>'
    turn += f'<li class="next"><a href="{following}">next</a></li>' if following else ""
    body = f"""<div class="row">
<aside class="sidebar col-sm-4 col-md-3"><div class="side_categories"><ul class="nav nav-list">
<li><a href="{root}catalogue/category/books_1/index.html">Books</a><ul>
{side}
</ul></li></ul></div></aside>
<div class="col-sm-8 col-md-9">
<div class="page-header action"><h1>{escape(heading)}</h1></div>
<section>
<ol class="row">
{"".join(pods)}
</ol>
<div><ul class="pager">{turn}</ul></div>
</section>
</div>
</div>"""
    return page(f"{heading} | Books to Scrape", body, root=root)


def book_page(book: Book, category_href: str, related: Iterable[str], *, meta_charset: str | None, root: str) -> str:
    """A book's own page, with the pods of ``related`` books below."""
    title, price = escape(book.title), _price(book)
    stock = f"In stock ({book.stock} available)"
    rows = (
        ("UPC", book.upc),
        ("Product Type", "Books"),
        ("Price (excl. tax)", price),
        ("Price (incl. tax)", price),
        ("Tax", "£0.00"),
        ("Availability", stock),
        ("Number of reviews", "0"),
    )
    table = "\n".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    body = f"""<ul class="breadcrumb">
<li><a href="{root}index.html">Home</a></li>
<li><a href="{root}catalogue/category/books_1/index.html">Books</a></li>
<li><a href="{category_href}">{escape(book.category.name)}</a></li>
<li class="active">{title}</li>
</ul>
<div id="content_inner">
<article class="product_page">
<div class="row">
<div class="col-sm-6"><div id="product_gallery"><img src="/media/cover.svg" alt="{title}"></div></div>
<div class="col-sm-6 product_main">
<h1>{title}</h1>
<p class="price_color">{price}</p>
<p class="instock availability">
<i class="icon-ok"></i>

{stock}

</p>
{_stars(book.rating)}
<hr>
</div>
</div>
<div id="product_description" class="sub-header"><h2>Product Description</h2></div>
<p>{escape(book.description)}</p>
<div class="sub-header"><h2>Product Information</h2></div>
<table class="table table-striped">
{table}
</table>
<section><div id="reviews" class="sub-header"></div></section>
<section><div class="sub-header"><h2>Products you recently viewed</h2></div>
<ul class="row">{"".join(related)}</ul></section>
</article>
</div>"""
    return page(f"{book.title} | Books to Scrape", body, root=root, charset=meta_charset)


def quote_list(heading: str, quotes: Iterable[Quote], previous: str, following: str) -> str:
    """A page of quotes; ``previous`` and ``following`` are links, or ``""``."""
    turn = f'<li class="previous"><a href="{previous}"><span>&larr;</span> Previous</a></li>' if previous else ""
    turn += f'<li class="next"><a href="{following}">Next <span>&rarr;</span></a></li>' if following else ""
    body = f"""<div class="row header-box"><h1><a href="/quotes/">{escape(heading)}</a></h1></div>
{"".join(map(_quote, quotes))}
<nav><ul class="pager">{turn}</ul></nav>"""
    return page(f"{heading} | Quotes to Scrape", body)


def login_page(action: str, token: str) -> str:
    """A form that asks who the visitor is."""
    body = f"""<form action="{action}" method="post" accept-charset="utf-8">
<input type="hidden" name="csrf_token" value="{token}">
<label for="username">Username</label> <input type="text" class="form-control" id="username" name="username">
<label for="password">Password</label> <input type="password" class="form-control" id="password" name="password">
<input type="submit" value="Login" class="btn btn-primary">
</form>"""
    return page("Login | Quotes to Scrape", body)


def account_page(user: str, logout: str) -> str:
    """What a user sees."""
    return page("Account | Quotes to Scrape", f'<p class="user">{escape(user)}</p><a href="{logout}">Logout</a>')


def author_page(author: Author) -> str:
    """An author's page."""
    body = f"""<div class="author-details">
<h3 class="author-title">{escape(author.name)}</h3>
<p><strong>Born:</strong> <span class="author-born-date">{author.born}</span>
<span class="author-born-location">{author.place}</span></p>
<p><strong>Description:</strong></p>
<div class="author-description">{escape(author.description)}</div>
</div>"""
    return page(f"{author.name} | Quotes to Scrape", body)


def _quote(quote: Quote) -> str:
    tags = "\n".join(f'<a class="tag" href="/quotes/tag/{tag}/page/1/">{tag}</a>' for tag in quote.tags)
    return f"""<div class="quote" itemscope itemtype="http://schema.org/CreativeWork">
<span class="text" itemprop="text">{escape(quote.text)}</span>
<span>by <small class="author" itemprop="author">{escape(quote.author.name)}</small>
<a href="{quote.author.path}">(about)</a></span>
<div class="tags">Tags: <meta class="keywords" itemprop="keywords" content="{",".join(quote.tags)}">
{tags}
</div>
</div>
"""


def _price(book: Book) -> str:
    return f"£{book.price / 100:.2f}"


def _stars(rating: int) -> str:
    return f'<p class="star-rating {RATINGS[rating]}">{_STAR * 5}</p>'
