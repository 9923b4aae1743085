"""A browser for the tests: Chromium from the system or from Playwright, or words on how to install it."""

import base64
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import Notebook, server

INSTALL = (
    "no browser found: install one with `apt-get install chromium`, or with "
    "`pip install playwright && playwright install chromium`"
)
NAMES = ("chromium", "chromium-browser", "google-chrome")  # as systems install it
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium():
    """A Chromium that Playwright drives. Skips the test where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason=INSTALL)
    with sync_api.sync_playwright() as playwright:
        installed = next(filter(None, map(shutil.which, NAMES)), None)
        if not installed and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(INSTALL)
        browser = playwright.chromium.launch(executable_path=installed, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def jupyter(browser, tmp_path_factory):
    """One Jupyter server for all tests. jupyter(name, cells, place) opens a new `Notebook`."""
    folder = tmp_path_factory.mktemp("jupyter")
    # one context for all pages, which keeps the server's scripts
    context = browser.new_context(viewport={"width": 1200, "height": 1100})
    with server(folder) as address:

        def opened(name, cells, place="lab/tree"):
            return Notebook(context.new_page(), address, folder, name, cells, place)

        yield opened


@pytest.fixture
def show(browser):
    """show(widget, **settings of the page) puts an anywidget on a bare page, and gives a `Shown`."""
    contexts = []

    def shown(widget, width=800, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        return Shown(widget, context.new_page())

    yield shown
    for context in contexts:
        context.close()


PAGE = """<!doctype html><html><head><style>body { margin: 8px; } %s</style></head>
<body><button id="before">before</button><div id="widget"></div></body></html>"""

# What anywidget does in a notebook: load the module from a blob, give it a model whose state is Python's.
SCRIPT = """async ([source, state]) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { default: made } = await import(url);
  const decoded = (value) => value?.base64 === undefined ? value
    : new DataView(Uint8Array.from(atob(value.base64), (letter) => letter.charCodeAt()).buffer);
  const encoded = (value) => {
    if (!(value instanceof DataView)) return value;
    return { base64: btoa([...new Uint8Array(value.buffer)].map((byte) => String.fromCharCode(byte)).join("")) };
  };
  const values = {}, listeners = {}, changed = new Set();
  window.model = {
    get: (name) => values[name],
    set(name, value) {
      if (values[name] === value) return;
      values[name] = value;
      changed.add(name);
      listeners[`change:${name}`]?.forEach((listener) => listener());
    },
    on: (event, listener) => (listeners[event] ??= []).push(listener),
    off() {},
    async save_changes() {
      const state = Object.fromEntries([...changed].map((name) => [name, encoded(values[name])]));
      changed.clear();
      if (window.bytesGetLost && state._png) return;
      model.receive(await toPython(state));
    },
    receive(state) {
      for (const [name, value] of Object.entries(state)) values[name] = decoded(value);
      for (const name of Object.keys(state)) listeners[`change:${name}`]?.forEach((listener) => listener());
    },
  };
  for (const [name, value] of Object.entries(state)) values[name] = decoded(value);
  const widget = typeof made === "function" ? await made() : made;
  await widget.initialize?.({ model });
  window.render = () => widget.render({ model, el: document.querySelector("#widget") });
  await render();
}"""


class Shown:
    """A widget on a page. What it sends goes to Python at once, and what Python answers back to the page."""

    def __init__(self, widget, page):
        self.widget, self.page = widget, page
        self.errors = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.expose_function("toPython", self._to_python)
        page.set_content(PAGE % widget._css)
        page.evaluate(SCRIPT, [str(widget._esm), _packed(self._state())])

    def _state(self):
        state = self.widget.get_state()
        return {
            name: value for name, value in state.items() if not isinstance(value, str) or len(value) < 4000
        }

    def _to_python(self, state):
        before = self._state() | state
        self.widget.set_state(_unpacked(state))
        return _packed({name: value for name, value in self._state().items() if before.get(name) != value})

    def push(self):
        """Bring what was set in Python to the page, as ipywidgets does by itself."""
        self.page.evaluate("(state) => model.receive(state)", _packed(self._state()))


def _packed(state):
    return {
        name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in state.items()
        if not name.startswith(("_model", "_view", "_esm", "_css", "_dom", "layout"))
    }


def _unpacked(state):  # ipywidgets makes memoryviews of binary data, too
    return {
        name: memoryview(base64.b64decode(value["base64"])) if isinstance(value, dict) else value
        for name, value in state.items()
    }
