"""An editor completes what a spider's author types on a response, and on what its selectors find."""

import jedi
import pytest

SPIDER = """
from scrapekit import Request, Response, Spider

class Quotes(Spider):
    def parse(self, response: Response):
        """


pytestmark = pytest.mark.xdist_group("jedi")  # which reads our dependencies, and is quick once it has


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """Not the user's: test workers that write it at the same time would read halves of each other's files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jedi.settings, "cache_directory", str(tmp_path_factory.mktemp("jedi")))
        yield


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("response.", {"css", "xpath", "json", "follow", "follow_all", "url", "status", "headers", "text", "meta"}),
        ("response.css('a').", {"get", "getall", "attrib", "re", "css", "xpath"}),
        ("response.css('a').get().", {"strip", "upper"}),
        ("response.xpath('//a').getall()[0].", {"strip", "upper"}),
        ("response.follow('/').", {"url", "callback", "replace"}),
        ("response.fol", {"follow", "follow_all"}),
        ("Request(pri", {"priority="}),
        ("self.", {"name", "start_urls", "settings", "pipelines", "hooks", "unique"}),
    ],
)
def test_an_editor_knows_what_may_come_next(typed, offered):
    source = SPIDER + typed
    names = {found.name for found in jedi.Script(source).complete()}
    assert names >= offered
