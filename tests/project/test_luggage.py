"""What goes with a spider to machines that don't have it."""

import pytest

import scrapekit
from scrapekit.errors import SpiderError
from scrapekit.pipelines import FilesPipeline, ImagesPipeline
from scrapekit.project import luggage
from scrapekit.project.hands import _order, _pack
from scrapekit.project.luggage import check_folders, pack
from scrapekit.project.spiders import load_spider
from scrapekit.settings import Settings


def laid_out(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())


def test_the_files_and_packages_beside_the_spider_and_in_the_project_go_along(tmp_path):
    wanted = ("spiders/a.py", "spiders/helper.py", "spiders/lib/__init__.py", "spiders/lib/deep/er.py", "shared.py",
              "models/__init__.py", "models/book.py")  # fmt: skip
    laid_out(tmp_path, *wanted, "results/a.jsonl", ".venv/__init__.py", ".venv/x.py", "loose/y.py", "spiders/a.txt")
    name, files = pack(tmp_path / "spiders" / "a.py", tmp_path)
    assert name == "spiders/a.py"
    assert files == {path: path.encode() for path in wanted}


def test_a_spider_outside_of_the_project_takes_its_own_folder_only(tmp_path):
    laid_out(tmp_path, "project/shared.py", "else/a.py", "else/helper.py")
    name, files = pack(tmp_path / "else" / "a.py", tmp_path / "project")
    assert name == "a.py"
    assert set(files) == {"a.py", "helper.py"}


def test_scrapekit_itself_stays_at_home(tmp_path, monkeypatch):
    laid_out(tmp_path, "a.py", "scrapekit/__init__.py")
    monkeypatch.setattr(luggage, "_OURS", tmp_path / "scrapekit")
    assert set(pack(tmp_path / "a.py", tmp_path)[1]) == {"a.py"}
    monkeypatch.undo()
    assert (luggage._OURS / "__init__.py").samefile(scrapekit.__file__)


def test_files_that_can_not_be_read_or_are_too_many_are_one_clear_line(tmp_path, monkeypatch):
    laid_out(tmp_path, "a.py")
    (tmp_path / "broken.py").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SpiderError, match=r"broken\.py can't go to the workers with the spider: No such file"):
        pack(tmp_path / "a.py", tmp_path)
    (tmp_path / "broken.py").unlink()
    odd = tmp_path / "odd\udcff.py"
    odd.touch()
    with pytest.raises(SpiderError, match=r"can't go to the workers with the spider: its name is not UTF-8$"):
        pack(tmp_path / "a.py", tmp_path)
    odd.unlink()
    monkeypatch.setattr(luggage, "_LARGEST", 3)
    with pytest.raises(SpiderError, match="are more than 32 MiB: keep the spider in a folder of its own"):
        pack(tmp_path / "a.py", tmp_path)


def test_the_yaml_beside_a_spider_goes_along_but_not_the_settings_of_the_project(tmp_path):
    wanted = ("spiders/a.yaml", "spiders/b.yml", "spiders/c.py", "shared.py")
    laid_out(tmp_path, *wanted, "settings.yaml", "lib/x.yaml")
    for name in ("spiders/a.yaml", "spiders/c.py"):
        assert pack(tmp_path / name, tmp_path) == (name, {path: path.encode() for path in wanted})
    laid_out(tmp_path, "alone.yaml")
    assert pack(tmp_path / "alone.yaml", tmp_path) == (
        "alone.yaml", {"alone.yaml": b"alone.yaml", "shared.py": b"shared.py"},
    )  # fmt: skip


def test_files_that_would_go_with_an_actor_are_refused(tmp_path):
    class Covers(scrapekit.Spider):
        name = "covers"
        pipelines = [str, FilesPipeline(tmp_path), ImagesPipeline(tmp_path / "x")]

    check_folders(Covers())
    Covers.pipelines = [*Covers.pipelines, ImagesPipeline("images/all")]
    with pytest.raises(SpiderError, match="^ImagesPipeline of spider 'covers' keeps files in 'images/all', which goes"):
        check_folders(Covers())


def spider_in(folder, name, **others):
    folder.mkdir()
    (folder / f"{name}.py").write_text(f"from scrapekit import Spider\nclass {name.title()}(Spider):\n    pass\n")
    for other, text in others.items():
        (folder / f"{other}.py").write_text(text)
    return load_spider(str(folder / f"{name}.py"), folder)()


def test_the_code_of_several_spiders_goes_together_if_it_can(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = spider_in(tmp_path / "here", "one", common="X = 1")
    (tmp_path.parent / f"{tmp_path.name}-there").mkdir()
    there = tmp_path.parent / f"{tmp_path.name}-there"
    two = spider_in(there / "a", "two", common="X = 1")
    other = spider_in(there / "b", "other", common="X = 2")
    settings = Settings()
    order = _order({"one": (one, settings), "two": (two, settings)}, settings)
    files = _pack(order)
    assert {"here/one.py", "here/common.py", "two.py", "common.py"} <= files.keys()
    assert [role.file for role in order.roles] == [b"here/one.py", b"two.py"]
    with pytest.raises(SpiderError, match="spiders of two folders have a file common.py each, and they differ"):
        _pack(_order({"two": (two, settings), "other": (other, settings)}, settings))
