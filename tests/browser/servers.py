"""A Jupyter server for the tests, and notebooks in it that are run and read from Python."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import nbformat

WAIT = 60_000  # milliseconds; the first page and the first kernel take their time

CONFIG = """
from jupyterlab.galata import configure_jupyter_server
configure_jupyter_server(c)
c.ServerApp.port = {port}
c.ServerApp.root_dir = {folder!r}
c.ServerApp.allow_root = True
c.JupyterNotebookApp.expose_app_in_browser = True
"""
QUIET = {  # no news, no updates, no blinking
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "codemirror-extension/plugin": {"defaultConfig": {"cursorBlinkRate": 0}},
}


@contextmanager
def server(folder):
    """JupyterLab and Notebook 7 over the notebooks in `folder`/notebooks. Gives the address."""
    work = folder / "notebooks"
    work.mkdir()
    for name, settings in QUIET.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    port = _free_port()
    config = folder / "config.py"
    config.write_text(CONFIG.format(port=port, folder=str(work)))
    own = {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_GALATA_ROOT_DIR": str(work),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    with open(folder / "log.txt", "w") as log:
        command = [sys.executable, "-m", "jupyterlab", f"--config={config}"]
        process = subprocess.Popen(command, cwd=work, env=os.environ | own, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        _await(f"{address}/api/status", process, folder / "log.txt")
        yield address
    finally:
        process.terminate()
        process.wait()


class Notebook:
    """A notebook of code cells, open in JupyterLab ("lab/tree") or Notebook 7 ("notebooks")."""

    def __init__(self, page, address, folder, name, cells, place="lab/tree"):
        self.page = page
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, folder / "notebooks" / name)
        page.goto(f"{address}/{place}/{name}?reset")
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext", timeout=WAIT)
        page.evaluate(
            """async () => {
                await jupyterapp.restored;
                const { sessionContext, context } = window.notebook = jupyterapp.shell.currentWidget;
                await context.ready;
                await sessionContext.ready;
            }"""
        )

    def run(self, index):
        """Run one cell to its end and give the text that it printed."""
        return self.page.evaluate(
            """async (index) => {
                notebook.content.activeCellIndex = index;
                await jupyterapp.commands.execute("notebook:run-cell");
                const outputs = notebook.content.widgets[index].model.sharedModel.outputs;
                const wrong = outputs.find((output) => output.output_type === "error");
                if (wrong) throw new Error(`${wrong.ename}: ${wrong.evalue}`);
                return outputs.map((output) => [output.text ?? ""].flat().join("")).join("");
            }""",
            index,
        )

    def restart(self):
        self.page.evaluate("async () => { await notebook.sessionContext.session.kernel.restart(); }")

    def theme(self, name):
        self.page.evaluate(
            "name => jupyterapp.commands.execute('apputils:change-theme', { theme: name })", name
        )
        light = str("Light" in name).lower()
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light", arg=light, timeout=WAIT
        )

    def sources(self):
        return self.page.evaluate(
            "() => notebook.content.widgets.map((cell) => cell.model.sharedModel.source)"
        )


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _await(address, process, log):
    end = time.monotonic() + WAIT / 1000
    while True:
        try:
            return urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"The Jupyter server did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.1)
