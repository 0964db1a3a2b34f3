"""A site for the tests of fleets: a page that links to all others, which link to none."""

from scrapekit.testing import Reply

HTML = [("Content-Type", "text/html")]


def site(pages, deadly=False):
    links = "".join(f"<a href='/{n}'>{n}</a>" for n in range(pages)) + ("<a href='/deadly'>x</a>" if deadly else "")

    def app(view):
        if view.path == "/robots.txt":
            return Reply(b"", status=404)
        return Reply(links.encode() if view.path == "/" else b"<p>page", headers=HTML)

    return app
