"""A tab of the browser: it opens pages, remembers what went wrong on them, and answers questions about them."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlsplit

from tests.browser.devtools import BrowserError, DevTools, Event

_KEYS = {"Tab": 9, "Enter": 13}
_DOMAINS = ("Page", "Runtime", "Log", "Network", "Audits")
_LOUD = ("error", "warning", "assert")
_PIXELS = """
async (png) => {
  const bytes = Uint8Array.from(atob(png), (each) => each.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes]));
  const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, picture.width, picture.height);
  const parts = [];
  // A function takes only so many arguments.
  for (let at = 0; at < data.length; at += 32768) parts.push(String.fromCharCode(...data.subarray(at, at + 32768)));
  return btoa(parts.join(""));
}
"""


class Tab:
    def __init__(self, tools: DevTools, session: str) -> None:
        self.problems: list[str] = []
        """All that the browser complained about since the last ``open``."""
        self._tools = tools
        self._session = session
        self._address = ""
        self._loaded: set[str] = set()
        tools.listen(session, self._hear)
        for domain in _DOMAINS:
            self._call(f"{domain}.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)

    def show_as(self, width: int, scheme: str = "light", height: int = 900) -> None:
        """Set the size of the window, in pixels, and the colour scheme: light or dark."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def run_scripts(self, run: bool) -> None:
        """Let pages run scripts, or not. What ``evaluate`` runs is not a script of the page."""
        self._call("Emulation.setScriptExecutionDisabled", value=not run)

    def open(self, address: str) -> None:
        """Open a page, and wait until it has loaded, with all that belongs to it. Raises BrowserError."""
        self.problems.clear()
        self._address = address
        answer = self._call("Page.navigate", url=address)
        if error := answer.get("errorText"):
            raise BrowserError(f"cannot open {address}: {error}")
        self._tools.wait(lambda: answer["loaderId"] in self._loaded, f"{address} to load")

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited. Raises BrowserError if it throws."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if failure := answer.get("exceptionDetails"):
            raise BrowserError(f"{expression[:100]}: {_words_of(failure)}")
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key: Tab or Enter."""
        more = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_KEYS[key], **more)

    def pixels(self, width: int, height: int) -> bytes:
        """Return the upper left part of the page: rows of red, green, blue and alpha, a byte each."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        png = self._call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        # The browser can read its PNG; a blank page has no policy against that.
        self._call("Page.navigate", url="about:blank")
        return base64.b64decode(self.evaluate(f"({_PIXELS})({json.dumps(png)})"))

    def _call(self, method: str, **parameters: Any) -> Event:
        return self._tools.call(method, self._session, **parameters)

    def _hear(self, name: str, event: Event) -> None:
        if name == "Page.lifecycleEvent" and event["name"] == "load":
            self._loaded.add(event["loaderId"])
        elif name == "Page.javascriptDialogOpening":
            # Until it is answered, the page waits.
            self._tools.send("Page.handleJavaScriptDialog", self._session, accept=True)
            self.problems.append(f"a script opened a dialog: {event['message']}")
        elif words := self._complaint(name, event):
            self.problems.append(words)

    def _complaint(self, name: str, event: Event) -> str:
        """Return what an event complains about; empty if nothing is wrong."""
        if name == "Network.requestWillBeSent":
            address = event["request"]["url"]
            is_own = urlsplit(address)[:2] == urlsplit(self._address)[:2]
            return "" if is_own else f"the page asked another server: {address[:200]}"
        if name == "Runtime.consoleAPICalled" and event["type"] in _LOUD:
            return f"console.{event['type']}: {[each.get('value') for each in event['args']]}"
        if name == "Runtime.exceptionThrown":
            return f"a script failed: {_words_of(event['exceptionDetails'])}"
        if name == "Log.entryAdded" and event["entry"]["level"] in _LOUD:
            entry = event["entry"]
            # A page that says why it is not there is a page.
            is_status = entry["source"] == "network" and entry.get("url") == self._address
            return "" if is_status else f"{entry['source']}: {entry['text']} {entry.get('url', '')}"
        if name == "Audits.issueAdded":
            return f"issue: {event['issue']['code']}: {str(event['issue']['details'])[:500]}"
        return ""


def _words_of(failure: Event) -> str:
    exception = failure.get("exception", {})
    return f"{failure.get('text', '')} {exception.get('description', exception.get('value', ''))}".strip()
