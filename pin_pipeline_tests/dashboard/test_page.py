"""Dashboard page in a real headless browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from pin_pipeline.local import ports
from pin_pipeline_tests.dashboard.conftest import Serve, TableWriter, floor
from pin_pipeline_tests.helpers.browser import driver

__all__ = ["driver"]  # a fixture of this module

TIMEOUT_SECONDS = 90
NO_VALUE = "\N{EN DASH}"
MARKUP = "<img src=x onerror='document.title=1'>"


class Browser:
    """Browser with access to the elements of the page."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def text(self, name: str) -> str:
        """Return the visible text of the element with this ID."""
        return self.driver.find_element(By.ID, name).text

    def wait_for(self, name: str, *texts: str) -> None:
        """Wait until the element contains all the texts."""
        self._wait(lambda: all(text in self.text(name) for text in texts), lambda: f"{texts} in {self.text(name)!r}")

    def rows(self, name: str) -> list[list[str]]:
        """Return the cells of a table."""
        script = "return [...arguments[0].tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent))"
        found: list[list[str]] = self.driver.execute_script(script, self.driver.find_element(By.ID, name))
        return found

    def bars(self) -> list[float]:
        """Return the heights of the bars."""
        return [
            float(bar.get_dom_attribute("height")) for bar in self.driver.find_elements(By.CSS_SELECTOR, "#chart rect")
        ]

    def select(self, window: str) -> None:
        """Click on the link of a window."""
        self.driver.find_element(By.LINK_TEXT, window).click()

    def selected(self) -> str:
        """Return the window that is marked as selected."""
        return self.driver.find_element(By.CSS_SELECTOR, "nav [aria-current]").text

    def new_log_entries(self) -> list[dict[str, object]]:
        """Return the log entries since the last call."""
        found: list[dict[str, object]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return found

    def _wait(self, predicate: Callable[[], bool], description: Callable[[], str]) -> None:
        try:
            WebDriverWait(self.driver, TIMEOUT_SECONDS, 0.2).until(lambda _: predicate())
        except Exception as error:
            raise AssertionError(f"not visible within {TIMEOUT_SECONDS} s: {description()}") from error


@pytest.fixture
def browser(driver: webdriver.Chrome) -> Browser:
    driver.get("about:blank")
    browser = Browser(driver)
    browser.new_log_entries()  # discard those of earlier tests
    return browser


def test_page_shows_new_posts_without_a_reload_and_switches_windows(
    serve: Serve, writer: TableWriter, browser: Browser
) -> None:
    writer.create_tables()
    now = datetime.now(UTC)
    writer.write_posts(now - timedelta(minutes=3), timedelta(seconds=2), times=30)
    writer.write_posts(now - timedelta(minutes=30), times=1000)
    writer.write_trend(floor(now, 300), art=20, travel=10)
    for number in range(6):
        writer.write_popularity(
            floor(now, 600) - number * timedelta(minutes=10), {"Ada": 9, MARKUP: 5}, {"Ada": 12_000}
        )
    writer.commit("pin", [now, now], rejected=1)
    with serve() as client:
        browser.driver.get(f"{client.base_url}?minutes=15")
        browser.wait_for("posts", "30")
        assert browser.text("state").startswith("Live: as of ")
        assert browser.text("lag") == NO_VALUE
        assert browser.rows("categories") == [["art", "20"], ["travel", "10"]]
        assert browser.rows("posters") == [["Ada", "9", "12,000"], [MARKUP, "5", NO_VALUE]]
        assert browser.rows("progress")[0][:3] == ["streams/pin", "2", "1"]
        assert browser.rows("progress")[1] == ["streams/geo", "not created yet", NO_VALUE, NO_VALUE, NO_VALUE]
        assert sorted(height > 0 for height in browser.bars()) == [False] * 60 + [True]

        browser.driver.execute_script("window.same = true")
        writer.write_posts(datetime.now(UTC) - timedelta(seconds=2), timedelta(seconds=1.25), times=12)
        browser.wait_for("posts", "42")
        browser.wait_for("worst-lag", "worst 1.3 s")
        assert sum(height > 0 for height in browser.bars()) == 2
        assert browser.driver.execute_script("return window.same")

        browser.select("Hour")
        browser.wait_for("posts", "1,042")
        assert browser.driver.current_url.endswith("?minutes=60")
        browser.driver.refresh()
        browser.wait_for("posts", "1,042")
        assert browser.selected() == "Hour"
        browser.driver.back()
        browser.wait_for("posts", "42")
        assert browser.selected() == "15 minutes"

        loaded = browser.driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert {url for url in loaded if not url.startswith(str(client.base_url))} == set()
        assert browser.new_log_entries() == []


def test_chart_is_accessible_as_text_and_as_a_table(serve: Serve, writer: TableWriter, browser: Browser) -> None:
    writer.create_tables()
    writer.write_posts(datetime.now(UTC) - timedelta(minutes=2), times=90)
    with serve() as client:
        browser.driver.get(f"{client.base_url}?minutes=60")
        browser.wait_for("posts", "90")
    chart = browser.driver.find_element(By.ID, "chart")
    assert chart.accessible_name == "Posts per second"
    assert chart.aria_role == "image"
    assert [row[2:] for row in browser.rows("buckets") if row[2] != "0"] == [["90", "1.5"]]
    titles = browser.driver.execute_script(
        "return [...document.querySelectorAll('rect title')].map(t => t.textContent)"
    )
    assert sum(": 90 posts, 1.5 per second" in text for text in titles) == 1


def test_page_without_posts_explains_it(serve: Serve, writer: TableWriter, browser: Browser) -> None:
    with serve() as client:
        browser.driver.get(str(client.base_url))
        browser.wait_for("realtime-hint", "No post is in Postgres yet", "kafka_to_postgres")
        assert browser.selected() == "15 minutes"
        assert {row[1] for row in browser.rows("progress")} == {"not created yet"}
        writer.create_tables()
        browser.wait_for("chart-note", "No posts in this window")
        assert browser.rows("posters") == [["No posts since then."]]
        assert max(browser.bars()) == 0


def test_page_reports_an_outage_and_keeps_the_other_parts(serve: Serve, writer: TableWriter, browser: Browser) -> None:
    writer.commit("geo", [datetime.now(UTC)])
    address = f"127.0.0.1:{ports.free_port()}"
    with serve(PIN_POSTGRES_URL=f"postgresql://pin@{address}/there") as client:
        browser.driver.get(str(client.base_url))
        browser.wait_for("realtime-error", "Since ", f"Postgres at {address}/there does not respond")
        assert browser.rows("progress")[1][:3] == ["streams/geo", "1", "0"]
        assert browser.text("state") == "Faded values are out of date."
    netloc = str(client.base_url.netloc, "ascii")
    browser.wait_for(
        "dashboard-error", "Since ", f"could not be loaded from {netloc}", "Check that the dashboard is running"
    )
    assert browser.rows("progress")[1][:3] == ["streams/geo", "1", "0"]


def test_page_follows_the_preferred_colour_scheme(serve: Serve, browser: Browser) -> None:
    colours = {}
    with serve() as client:
        for scheme in ("light", "dark"):
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            browser.driver.get(str(client.base_url))
            colours[scheme] = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert colours["light"] != colours["dark"]
