"""Somebody who reads and works the decoder page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement


class Reader(NamedTuple):
    """The page in a browser, by the ids of its elements."""

    driver: Chrome
    page: Path

    def open(self, link: str = "") -> None:
        # a page of another address in between: otherwise only the hash would change
        self.driver.get("about:blank")
        self.driver.get(f"{self.page.as_uri()}{link}")

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

    def choose(self, name: str, value: str) -> None:
        Select(self.find(name)).select_by_value(value)

    def chosen(self, name: str) -> str | None:
        return Select(self.find(name)).first_selected_option.get_attribute("value")

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
        return [entry["message"] for entry in self.driver.get_log("browser")]
