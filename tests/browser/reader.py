"""Somebody who reads and works the decoder page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from selenium.webdriver.common.by import By

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement


class Reader(NamedTuple):
    """The page in a browser, by the ids of its elements."""

    driver: Chrome
    page: Path

    def open(self, link: str = "") -> None:
        if self.driver.current_url.startswith(self.page.as_uri()):
            # otherwise only the hash would change
            self.driver.get("about:blank")
        self.driver.get(f"{self.page.as_uri()}{link}")

    def stay(self) -> None:
        """The page as it is, if it is open."""
        if not self.driver.current_url.startswith(self.page.as_uri()):
            self.open()

    def find(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def click(self, name: str) -> None:
        self.find(name).click()

    def text(self, name: str) -> str:
        """What the reader sees there: nothing where it is hidden."""
        return self.find(name).text

    def type_in(self, name: str, text: str) -> None:
        field = self.find(name)
        field.clear()
        field.send_keys(text)

    def paste(self, name: str, text: str) -> None:
        """The text all at once, in place of what stood there."""
        self._set(name, text, "input")

    def choose(self, name: str, value: str) -> None:
        """One of the options of a select that is not disabled."""
        assert self.find(name).find_element(By.CSS_SELECTOR, f"option[value='{value}']").is_enabled()
        self._set(name, value, "change")

    def _set(self, name: str, value: str, event: str) -> None:
        script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event(arguments[2]))"
        self.run(script, self.find(name), value, event)

    def chosen(self, name: str) -> str | None:
        return self.find(name).get_attribute("value")

    @property
    def word(self) -> str | None:
        """The text in the field of the word."""
        return self.find("word").get_attribute("value")

    @property
    def link(self) -> str:
        """The address from the # on."""
        return f"#{self.driver.current_url.partition('#')[2]}"

    def focused(self) -> str | None:
        return self.driver.switch_to.active_element.get_attribute("id")

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def console(self) -> list[str]:
        """What the console says since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]
