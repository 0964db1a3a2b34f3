"""The ready-made kinds of spider, forms and sessions; each takes ``-a url=``."""

from dataclasses import dataclass

from scrapekit import Form, Request, SitemapSpider, Spider, route
from scrapekit.hooks import RenewLogin
from scrapekit.items import Item, clean, css, each, page_url, to_price
from scrapekit.spiders import CSVSpider, FeedSpider, XMLSpider


@dataclass
class Price:
    upc: str
    price: float


class Related(Item):
    title = css("h3 a::attr(title)", clean)


class Book(Item):
    """A third of them have no price, by their own account."""

    unique = ["category"]
    title = css("h1::text")
    category = css("ul.breadcrumb li:nth-child(3) a::text")
    related = each("article.product_pod", Related)
    price = css("div.product_main p.price_color::text", to_price)


class Page(Item):
    url = page_url()
    stock = css("div.product_main p.availability::text", clean, int)  # it says more: an ItemError


class Maps(SitemapSpider):
    settings = {}  # of several spiders, none has a max_body of its own

    def __init__(self, url):
        super().__init__(sitemap_urls=[url])

    @route(r"/catalogue/")
    def book(self, response):
        yield Page.from_response(response)
        book = Book.from_response(response)
        book.category = book.title
        yield book


class Feed(FeedSpider):
    def start(self):
        yield Request(f"{self.url}/feed.xml")


class Prices(XMLSpider):
    itertag = "book"

    def start(self):
        yield Request(f"{self.url}/books.xml")

    def parse_node(self, response, node):
        yield Price(node.attrib["upc"], float(node.css("g|price::text").get()))


class Table(CSVSpider):
    def start(self):
        yield Request(f"{self.url}/books.csv")

    def parse_row(self, response, row):
        yield row | {"price": float(row["price"])}


class Members(Spider):
    """Two visitors, each in a session of their own; the site sends them to its login, and then lets them in."""

    def __init__(self, url):
        super().__init__(url=url, allowed_domains=None)
        self.hooks = [RenewLogin(f"{url}/quotes/login", redirected_to="/quotes/login", wait=0, exempt=["logged_in"])]

    def start(self):
        for user in ("ann", "bob"):
            yield Request(f"{self.url}/quotes/account", session=user)

    def log_in(self, response):
        form = Form.from_response(response, css="[name=password]")
        answers = {"username": response.request.session, "password": "secret"}
        yield form.submit(answers, self.logged_in, dont_filter=True, priority=2000)

    def logged_in(self, response):
        assert response.css("p.user::text").get() == response.request.session

    def parse(self, response):
        yield {
            "user": response.css("p.user::text").get(),
            "session": response.request.session,
            "cookies": sorted(response.cookies),
        }
