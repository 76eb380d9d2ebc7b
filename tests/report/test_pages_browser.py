"""The pages without scripts, of a check and of rows, in a real browser."""

import json
from itertools import pairwise

import pytest

from limner.data.formats import read_source
from limner.data.opening import open_dataset
from limner.data.preparing.check import find
from limner.data.preparing.prepare import nothing
from limner.report.check import write_check
from limner.report.rows import write_rows

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(drawn, tiny_dataset, tmp_path_factory):
    """A page of findings with many names to unfold, and one of rows."""
    folder = tmp_path_factory.mktemp("pages")
    source = read_source(drawn / "images", captions=drawn / "captions.csv")
    names = list(source.image_files)
    for image in names[-3:]:
        del source.captions[image]
    long = "a-very-long-name-without-a-break-" * 8
    gone = [f"{long}{number}.jpg" for number in range(40)]
    splits = {"train": [*names, *gone], "dev": names[:2]}
    write_check(folder / "check.html", find(source, splits, nothing))
    write_rows(folder / "rows.html", open_dataset(tiny_dataset), "train", range(8))
    return {name: (folder / f"{name}.html").as_uri() for name in ("check", "rows")}


@pytest.fixture(params=["check", "rows"])
def browser(shared, pages, request):
    shared.get("about:blank")
    shared.get_log("performance")
    shared.get(pages[request.param])
    return shared


def elements(driver, selector):
    return driver.find_elements("css selector", selector)


def test_page_renders_without_errors_and_requests(browser, pages):
    images = elements(browser, "img")
    assert len(images) >= 8
    for image in images:
        assert browser.execute_script("return arguments[0].naturalWidth", image) > 0
        assert image.get_attribute("alt")
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    events = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    local = (*pages.values(), "data:", "about:")
    assert [url for url in asked if not url.startswith(local)] == []


@pytest.mark.parametrize("width", [320, 768, 1280, 2560])
def test_page_fits_screen_width(browser, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_collapsed_lists_open(shared, pages):
    shared.get(pages["check"])
    [summary] = elements(shared, "summary")
    assert summary.text == "30 more"
    last = elements(shared, "details li")[-1]
    assert not last.is_displayed()
    shared.execute_script("arguments[0].focus()", summary)
    summary.send_keys("\ue007")
    assert last.is_displayed()
    assert last.text.endswith("-39.jpg")


def test_page_headings_and_links(shared, pages):
    shared.get(pages["check"])
    levels = [int(one.tag_name[1]) for one in elements(shared, "h1, h2, h3")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for link in elements(shared, "nav a"):
        assert elements(shared, f"section{link.get_attribute('hash')}")
