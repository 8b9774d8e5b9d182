"""What a person sees on the page, in a real browser without a screen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from pin_pipeline.local import ports
from pin_pipeline_tests.dashboard.conftest import Serve, Streaming
from pin_pipeline_tests.dashboard.test_data import floor

PATIENCE = 90
# It runs as root in containers, and calls nobody by itself.
OPTIONS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync", "window-size=1200,1600"),
)
NOTHING = "\N{EN DASH}"
HOSTILE = "<img src=x onerror='document.title=1'>"


class Browser:
    """A browser, and what stands on its page."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def text(self, name: str) -> str:
        """What is to be read in the element of that id."""
        return self.driver.find_element(By.ID, name).text

    def sees(self, name: str, *texts: str) -> None:
        """Wait until all of it is to be read there."""
        self._wait(lambda: all(text in self.text(name) for text in texts), lambda: f"{texts} in {self.text(name)!r}")

    def rows(self, name: str) -> list[list[str]]:
        """The texts of a table."""
        script = "return [...arguments[0].tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent))"
        found: list[list[str]] = self.driver.execute_script(script, self.driver.find_element(By.ID, name))
        return found

    def bars(self) -> list[float]:
        """The heights of the bars."""
        return [
            float(bar.get_dom_attribute("height")) for bar in self.driver.find_elements(By.CSS_SELECTOR, "#chart rect")
        ]

    def choose(self, window: str) -> None:
        """Click on a window."""
        self.driver.find_element(By.LINK_TEXT, window).click()

    def chosen(self) -> str:
        """The window that is marked as chosen."""
        return self.driver.find_element(By.CSS_SELECTOR, "nav [aria-current]").text

    def complaints(self) -> list[dict[str, object]]:
        """What it complained about since it was last asked."""
        found: list[dict[str, object]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return found

    def _wait(self, done: Callable[[], bool], what: Callable[[], str]) -> None:
        try:
            WebDriverWait(self.driver, PATIENCE, 0.2).until(lambda _: done())
        except Exception as error:
            raise AssertionError(f"not to be seen in {PATIENCE} s: {what()}") from error


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and chromedriver):
        pytest.skip("there is no chromium or no chromedriver: install the packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (*OPTIONS, f"user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(f"--{option}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(chromedriver))
    yield driver
    driver.quit()


@pytest.fixture
def browser(driver: webdriver.Chrome) -> Browser:
    driver.get("about:blank")
    browser = Browser(driver)
    browser.complaints()  # those of earlier tests
    return browser


def test_new_posts_appear_without_a_reload_and_another_window_shows_others(
    serve: Serve, streaming: Streaming, browser: Browser
) -> None:
    streaming.make_tables()
    now = datetime.now(UTC)
    streaming.post(now - timedelta(minutes=3), timedelta(seconds=2), times=30)
    streaming.post(now - timedelta(minutes=30), times=1000)
    streaming.trend(floor(now, 300), art=20, travel=10)
    for number in range(6):
        streaming.popularity(floor(now, 600) - number * timedelta(minutes=10), {"Ada": 9, HOSTILE: 5}, {"Ada": 12_000})
    streaming.commit("pin", [now, now], misfits=1)
    with serve() as client:
        browser.driver.get(f"{client.base_url}?minutes=15")
        browser.sees("posts", "30")
        assert browser.text("state").startswith("Live: as of ")
        assert browser.text("lag") == NOTHING
        assert browser.rows("categories") == [["art", "20"], ["travel", "10"]]
        assert browser.rows("posters") == [["Ada", "9", "12,000"], [HOSTILE, "5", NOTHING]]
        assert browser.rows("progress")[0][:3] == ["streams/pin", "2", "1"]
        assert browser.rows("progress")[1] == ["streams/geo", "not there yet", NOTHING, NOTHING, NOTHING]
        assert sorted(height > 0 for height in browser.bars()) == [False] * 60 + [True]

        browser.driver.execute_script("window.same = true")
        streaming.post(datetime.now(UTC) - timedelta(seconds=2), timedelta(seconds=1.25), times=12)
        browser.sees("posts", "42")
        browser.sees("worst-lag", "worst 1.3 s")
        assert sum(height > 0 for height in browser.bars()) == 2
        assert browser.driver.execute_script("return window.same")

        browser.choose("Hour")
        browser.sees("posts", "1,042")
        assert browser.driver.current_url.endswith("?minutes=60")
        browser.driver.refresh()
        browser.sees("posts", "1,042")
        assert browser.chosen() == "Hour"
        browser.driver.back()
        browser.sees("posts", "42")
        assert browser.chosen() == "15 minutes"

        loaded = browser.driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert {url for url in loaded if not url.startswith(str(client.base_url))} == set()
        assert browser.complaints() == []


def test_what_is_drawn_is_told_in_words_and_as_a_table_too(
    serve: Serve, streaming: Streaming, browser: Browser
) -> None:
    streaming.make_tables()
    streaming.post(datetime.now(UTC) - timedelta(minutes=2), times=90)
    with serve() as client:
        browser.driver.get(f"{client.base_url}?minutes=60")
        browser.sees("posts", "90")
    chart = browser.driver.find_element(By.ID, "chart")
    assert chart.accessible_name == "Posts a second"
    assert chart.aria_role == "image"
    assert [row[2:] for row in browser.rows("buckets") if row[2] != "0"] == [["90", "1.5"]]
    spoken = browser.driver.execute_script(
        "return [...document.querySelectorAll('rect title')].map(t => t.textContent)"
    )
    assert sum(": 90 posts, 1.5 a second" in text for text in spoken) == 1


def test_a_page_with_nothing_to_draw_says_so(serve: Serve, streaming: Streaming, browser: Browser) -> None:
    with serve() as client:
        browser.driver.get(str(client.base_url))
        browser.sees("realtime-hint", "No post is in Postgres yet", "kafka_to_postgres")
        assert browser.chosen() == "15 minutes"
        assert {row[1] for row in browser.rows("progress")} == {"not there yet"}
        streaming.make_tables()
        browser.sees("chart-note", "Nothing was posted in this window")
        assert browser.rows("posters") == [["Nothing was posted since then."]]
        assert max(browser.bars()) == 0


def test_what_does_not_answer_is_named_and_the_rest_of_the_page_stays(
    serve: Serve, streaming: Streaming, browser: Browser
) -> None:
    streaming.commit("geo", [datetime.now(UTC)])
    place = f"127.0.0.1:{ports.free()}"
    with serve(PIN_POSTGRES_URL=f"postgresql://pin@{place}/there") as client:
        browser.driver.get(str(client.base_url))
        browser.sees("realtime-problem", "Since ", f"Postgres at {place}/there does not answer")
        assert browser.rows("progress")[1][:3] == ["streams/geo", "1", "0"]
        assert browser.text("state") == "What is pale is as it was last told."
    browser.sees("dashboard-problem", "Since ", str(client.base_url.netloc, "ascii"), "is it up?")
    assert browser.rows("progress")[1][:3] == ["streams/geo", "1", "0"]


def test_the_page_is_dark_where_one_likes_it_dark(serve: Serve, browser: Browser) -> None:
    colours = {}
    with serve() as client:
        for scheme in ("light", "dark"):
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            browser.driver.get(str(client.base_url))
            colours[scheme] = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert colours["light"] != colours["dark"]
