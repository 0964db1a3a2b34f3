"""A headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

PROGRAM = shutil.which("chromium")
PATIENCE = 30.0  # seconds until a test gives up; nothing is asserted about how long anything takes
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--mute-audio",
)
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}


class Chromium:
    """A browser; its tabs know nothing of each other.

    Args:
        folder: Where its profile may lie.
    """

    def __init__(self, folder: Path) -> None:
        assert PROGRAM is not None
        self._process = subprocess.Popen(
            [PROGRAM, *_FLAGS, f"--user-data-dir={folder}", "about:blank"], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "DevTools listening on " in line:
                self._opened = ExitStack()
                # No pings: their thread would draw from the `random` of the module, of which hypothesis complains.
                self._socket = self._opened.enter_context(connect(line.split()[-1], max_size=None, ping_interval=None))
                break
        else:
            raise RuntimeError("Chromium did not start")
        self._numbers = itertools.count(1)
        self._events: list[dict[str, Any]] = []

    def close(self) -> None:
        self._opened.close()
        self._process.terminate()
        self._process.communicate()

    @contextmanager
    def tab(self, **options: Any) -> Iterator[Tab]:
        with self.tabs(**options) as opened:
            yield next(opened)

    @contextmanager
    def tabs(self, **options: Any) -> Iterator[Iterator[Tab]]:
        """Tabs of one window; the last one that was opened is in front."""
        context = self.send("Target.createBrowserContext")["browserContextId"]

        def opened() -> Iterator[Tab]:
            while True:
                target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
                session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
                yield Tab(self, session, **options)

        try:
            yield opened()
        finally:
            self.send("Target.disposeBrowserContext", browserContextId=context)

    def send(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE))
            if answer.get("id") != number:
                self._events.append(answer)
                continue
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            return answer["result"]

    def events(self, session: str) -> list[dict[str, Any]]:
        """All that a tab has reported so far."""
        return [event for event in self._events if event.get("sessionId") == session]


class Tab:
    """A page as somebody sees it who has a keyboard."""

    def __init__(self, browser: Chromium, session: str, *, width: int = 1280, height: int = 1600) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.send(method, self._session, **parameters)

    def open(self, url: str, *, scheme: str = "light", motion: str = "no-preference") -> None:
        self.prefer(scheme, motion)
        self.send("Page.navigate", url=url)

    def prefer(self, scheme: str, motion: str = "no-preference") -> None:
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": motion}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.send("Emulation.setEmulatedMedia", features=features)

    def run(self, expression: str) -> Any:
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def wait(self, expression: str) -> None:
        """Until an expression is true."""
        until = time.monotonic() + PATIENCE
        while not self.run(f"Boolean({expression})"):
            assert time.monotonic() < until, f"{expression} is not true; the page says: {self.text('body')[:3000]}"
            time.sleep(0.05)

    def wait_for_text(self, selector: str, text: str) -> None:
        self.wait(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})")

    def press(self, key: str, *, shift: bool = False) -> None:
        code = {"key": key, "windowsVirtualKeyCode": _KEYS[key], "modifiers": 8 if shift else 0}
        text = {"Enter": {"text": "\r"}, " ": {"text": " "}}.get(key, {})
        self.send("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **code)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def focused(self) -> str:
        """The id of the element that has the focus, or its text."""
        return self.run("document.activeElement.id || document.activeElement.innerText")

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, violations of the policy, exceptions."""
        self.run("0")  # what has happened until now has been reported
        found = []
        for event in self._browser.events(self._session):
            match event:
                case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                    found.append(details.get("exception", {}).get("description") or details["text"])
                case {"method": "Runtime.consoleAPICalled", "params": {"type": "error" | "warning" as kind}}:
                    found.append(f"console.{kind}: {event['params']['args']}")
                case {"method": "Log.entryAdded", "params": {"entry": {"level": "error" | "warning"} as entry}}:
                    found.append(f"{entry['text']} {entry.get('url', '')}")
        return found

    def requested(self) -> set[str]:
        """Every URL that it has asked for."""
        self.run("0")
        return {
            event["params"]["request"]["url"]
            for event in self._browser.events(self._session)
            if event["method"] == "Network.requestWillBeSent"
        }

    def screenshot(self) -> bytes:
        return b64decode(self.send("Page.captureScreenshot", format="png")["data"])
