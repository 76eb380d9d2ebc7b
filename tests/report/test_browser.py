"""The page in a real browser: Debian's Chromium, driven by Selenium."""

import json

import pytest

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.opening import open_dataset
from limner.evaluation.assessment import assess
from limner.report.run import write_report
from limner.training.history import read_history

pytestmark = pytest.mark.browser

CONTROL, RELEASE, BACKSPACE, RIGHT = "\ue009", "\ue000", "\ue003", "\ue014"
"""Keys, as WebDriver names them."""


@pytest.fixture(scope="module")
def page(tiny_dataset, tiny_run, tmp_path_factory):
    data, checkpoint = open_dataset(tiny_dataset), load_checkpoint(checkpoint_path(tiny_run))
    path = tmp_path_factory.mktemp("report") / "report.html"
    history = read_history(tiny_run)
    write_report(path, assess(checkpoint.model, data, "train"), data, checkpoint, history)
    return path.as_uri()


@pytest.fixture
def browser(shared, page):
    """The page at its beginning, on a wide and light screen."""
    screen(shared, 1280)
    shared.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    shared.get("about:blank")
    shared.get_log("performance")  # what came before is not the page's
    shared.get(page)
    return shared


def screen(driver, width, height=900):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def find(driver, selector):
    return driver.find_elements("css selector", selector)


def scores(driver):
    """Of the cards that are shown, from first to last."""
    shown = [card for card in find(driver, ".card") if card.is_displayed()]
    return [float(card.get_attribute("data-score")) for card in shown]


def choose(driver, order):
    [label] = find(driver, f'label:has(input[value="{order}"])')
    middle = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
    driver.execute_script(middle, label)
    label.click()


def write_words(driver, text):
    [field] = find(driver, 'input[name="words"]')
    field.send_keys(CONTROL + "a", RELEASE, BACKSPACE, text)


def test_page_renders_without_errors_and_requests(browser, page):
    assert "limner" in browser.title
    cards = find(browser, ".card")
    assert len(cards) > 10
    assert all(card.is_displayed() for card in cards)
    for image in find(browser, "img.image"):
        assert browser.execute_script("return arguments[0].naturalWidth", image) > 0
    charts = find(browser, "svg")
    assert len(charts) >= 4
    assert all(chart.size["width"] > 100 and chart.size["height"] > 50 for chart in charts)
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    events = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith((page, "data:", "about:"))] == []


def test_report_sorts(browser):
    by_chance = scores(browser)
    choose(browser, "best")
    assert scores(browser) == sorted(by_chance, reverse=True)
    choose(browser, "worst")
    assert scores(browser) == sorted(by_chance)
    choose(browser, "random")
    assert scores(browser) == by_chance
    assert by_chance not in (sorted(by_chance), sorted(by_chance, reverse=True))


def test_report_filters_by_words(browser):
    total = len(scores(browser))
    script = "return [...arguments[0].querySelectorAll('.caption, li')].map(e => e.textContent)"
    texts = [" ".join(browser.execute_script(script, c)).split() for c in find(browser, ".card")]
    word = next(w for w in texts[0] if w.isalpha() and 0 < sum(w in text for text in texts) < total)
    write_words(browser, word)
    shown = [card for card in find(browser, ".card") if card.is_displayed()]
    assert 0 < len(shown) < total
    assert len(shown) == sum(word in text for text in texts)
    assert all(word in card.get_attribute("textContent").lower() for card in shown)
    [found] = find(browser, ".found")
    assert found.text.startswith(f"{len(shown)} of {total} images")
    write_words(browser, f"{word} zebra")
    assert scores(browser) == []
    assert found.text.startswith("None of the images")
    write_words(browser, "")
    assert len(scores(browser)) == total


def test_report_link_keeps_order_and_words(browser):
    choose(browser, "best")
    write_words(browser, "a")
    address, before = browser.current_url, scores(browser)
    browser.get("about:blank")
    browser.get(address)
    assert scores(browser) == before == sorted(before, reverse=True)


def test_report_works_with_keyboard(browser):
    [first] = find(browser, 'input[value="random"]')
    browser.execute_script("arguments[0].focus()", first)
    browser.switch_to.active_element.send_keys(RIGHT)
    assert scores(browser) == sorted(scores(browser), reverse=True)


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 2560])
def test_page_fits_screen_width(browser, width):
    screen(browser, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def brightness(driver):
    color = driver.execute_script(
        "return getComputedStyle(document.documentElement).backgroundColor"
    )
    if color == "rgba(0, 0, 0, 0)":
        color = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in color[color.index("(") + 1 : -1].split(",")[:3])


def test_report_dark_mode(browser):
    light = brightness(browser)
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    assert light > 600
    assert brightness(browser) < 150


def test_report_print_hides_controls(browser):
    [form] = find(browser, "form.controls")
    assert form.is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not form.is_displayed()
    assert brightness(browser) > 600


def test_report_without_javascript(start, page):
    off = {"profile.managed_default_content_settings.javascript": 2}
    with start(**off) as driver:
        driver.get(page)
        assert all(card.is_displayed() for card in find(driver, ".card"))
        assert not find(driver, "form.controls")[0].is_displayed()
