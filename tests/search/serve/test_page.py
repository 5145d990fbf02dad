"""The search page, in a real browser."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot.data import Texts
from panglot.search.serve import Limits, create_app, index_texts
from panglot.search.serve.run import address, make_server, open_socket

pytestmark = pytest.mark.slow
HOSTILE = (
    "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script> & so on"
)
HEBREW = "החתול ישן על הספה כל היום"
TEXTS = {"en": ["The cat sleeps on the sofa.", HOSTILE], "he": [HEBREW], "de": ["Die Katze schläft."]}


@pytest.fixture(scope="module")
def site(encoder: SentenceTransformer) -> Iterator[str]:
    """The address of a server with a few passages."""
    texts = [text for of_language in TEXTS.values() for text in of_language]
    codes = sorted(TEXTS)
    languages = np.array([codes.index(code) for code, some in TEXTS.items() for _ in some], np.int64)
    passages = Texts([f"p{k}" for k in range(len(texts))], languages, texts)
    opened = open_socket("127.0.0.1", 0)
    server = make_server(create_app(encoder, index_texts(encoder, passages, codes)), Limits())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
    thread.start()
    yield address(opened)
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver (chromium-driver) are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--force-prefers-reduced-motion",
    ):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as started:
        started.set_page_load_timeout(60)
        yield started


def ask(browser: Any, question: str, results: int) -> list[Any]:
    """Type a question, press Enter, and wait for so many results."""
    field = browser.find_element("id", "q")
    field.clear()
    field.send_keys(question + "\n")
    return wait_for(browser, results)


def wait_for(browser: Any, results: int) -> list[Any]:
    """Wait until exactly so many fresh results are there."""
    for _ in range(300):
        hits: list[Any] = browser.find_elements("css selector", "#hits:not(.old) > li")
        if len(hits) == results:
            return hits
        time.sleep(0.1)
    raise AssertionError(browser.find_element("id", "status").text)


def picture(browser: Any, name: str) -> None:
    """Keep a picture where PANGLOT_PICTURES names a folder."""
    if folder := os.environ.get("PANGLOT_PICTURES"):
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


@pytest.mark.parametrize("width", [1280, 390])
def test_a_question_finds_all_languages_and_fits_the_width(browser: Any, site: str, width: int) -> None:
    browser.set_window_size(width, 900)
    # a window cannot be as narrow as a phone; the page can
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.get(site)
    hits = ask(browser, "Where does the cat sleep?", 4)
    assert {hit.find_element("tag name", "b").text for hit in hits} == {"English", "German", "Hebrew"}
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    picture(browser, f"page-{width}")


def test_right_to_left_text_runs_from_the_right(browser: Any, site: str) -> None:
    browser.get(site)
    ask(browser, "cat", 4)
    hebrew = browser.find_element("css selector", "p.text[lang=he]")
    english = browser.find_element("css selector", "p.text[lang=en]")
    style = "return getComputedStyle(arguments[0]).direction"
    assert browser.execute_script(style, hebrew) == "rtl"
    assert browser.execute_script(style, english) == "ltr"
    field = browser.find_element("id", "q")
    field.clear()
    field.send_keys("חתול")
    assert browser.execute_script(style, field) == "rtl"


def test_what_passages_hold_is_shown_and_not_run(browser: Any, site: str) -> None:
    browser.get(site)
    browser.get_log("browser")
    ask(browser, "so on", 4)
    assert HOSTILE in [text.text for text in browser.find_elements("css selector", ".text")]
    assert browser.title == "panglot search"
    assert not browser.find_elements("css selector", "#hits img, #hits script")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_language_chips_filter(browser: Any, site: str) -> None:
    browser.get(site)
    ask(browser, "cat", 4)
    buttons = browser.find_elements("css selector", "#chips button")
    chips = {chip.get_attribute("title").split(" (")[0]: chip for chip in buttons}
    assert set(chips) == {"English", "German", "Hebrew"}
    chips["Hebrew"].click()
    (hit,) = wait_for(browser, 1)
    assert HEBREW in hit.text
    assert chips["Hebrew"].get_attribute("aria-pressed") == "true"
    chips["German"].click()
    wait_for(browser, 2)
    chips["Hebrew"].click()
    chips["German"].click()
    wait_for(browser, 4)


def test_the_keyboard_is_enough(browser: Any, site: str) -> None:
    from selenium.webdriver import ActionChains, Keys

    def press(key: str) -> Any:
        ActionChains(browser).send_keys(key).perform()
        return browser.switch_to.active_element

    browser.get(site)
    first, second, *_ = ask(browser, "cat", 4)
    assert press(Keys.ARROW_DOWN) == first
    assert press(Keys.ARROW_DOWN) == second
    press(Keys.ENTER)
    assert second.get_attribute("aria-expanded") == "true"
    assert press(Keys.ARROW_UP) == first
    assert press("/").get_attribute("id") == "q"
    press(Keys.ARROW_DOWN)
    assert press(Keys.ESCAPE).get_attribute("id") == "q"
    press(Keys.ESCAPE)
    assert browser.find_element("id", "q").get_attribute("value") == ""
    wait_for(browser, 0)


def test_motion_is_left_out_where_it_is_not_wanted(browser: Any, site: str) -> None:
    browser.get(site)
    assert browser.execute_script("return matchMedia('(prefers-reduced-motion: reduce)').matches")
    seconds = "return getComputedStyle(document.getElementById('hits')).transitionDuration"
    assert browser.execute_script(seconds) == "0s"


def test_the_page_of_the_api_lists_all_operations_and_tries_them_out(browser: Any, site: str) -> None:
    def see(selector: str) -> Any:
        for _ in range(300):
            if found := browser.find_elements("css selector", selector):
                return found
            time.sleep(0.1)
        raise AssertionError(browser.page_source)

    browser.get_log("browser")
    browser.get(f"{site}docs")
    paths = [one.get_attribute("data-path") for one in see(".opblock-summary-path")]
    assert sorted(paths) == ["/encode", "/health", "/languages", "/metrics", "/search", "/search"]
    see("#operations-default-health_health_get .opblock-summary")[0].click()
    see(".try-out__btn")[0].click()
    see(".execute")[0].click()
    assert '"passages": 4' in see(".live-responses-table .microlight")[0].text
    picture(browser, "docs")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
