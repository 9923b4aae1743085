"""A pretended Hugging Face hub: the real client talks to it, over a transport that never leaves the process."""

import hashlib
import re
from importlib import import_module

import huggingface_hub
from huggingface_hub import constants

from onereward_nb import hub

httpx = import_module(hub._HTTPError.__module__.split(".")[0])  # the one that the hub's client stands on

API = re.compile(r"/api/models/(?P<repository>[^/]+/[^/]+)(?P<what>/auth-check|/tree/.*|/revision/.*)?")
FILE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


class FakeHub:
    """Serves the folders below `root`, one for each repository, as the hub does: listings, files, parts of files.

    refuse(part of the path, status, code, message): answer requests like this one so; an exception is raised.
    cut(bytes, error): break the connection once, after so many bytes of weights.
    requests: (method, path, Range) of all so far.
    """

    def __init__(self, root):
        self.root, self.requests, self.refusals, self.break_off = root, [], [], None

    def refuse(self, part, answer, code=None, message=None):
        self.refusals.append((part, answer, code, message))

    def cut(self, after, error):
        self.break_off = after, error

    def allow_all(self):
        self.refusals.clear()

    def respond(self, request):
        path = request.url.path
        self.requests.append((request.method, path, request.headers.get("Range")))
        for part, answer, code, message in self.refusals:
            if part in path:
                if isinstance(answer, Exception):
                    raise answer
                headers = {"X-Error-Code": code, "X-Error-Message": message}
                return httpx.Response(answer, headers={key: text for key, text in headers.items() if text})
        if match := API.fullmatch(path):
            return self._about(match["repository"], match["what"] or "")
        match = FILE.fullmatch(path)
        return self._file(request, self.root / match["repository"] / match["file"])

    def _about(self, repository, what):
        files = self._files(repository)
        if not files:
            return httpx.Response(404, headers={"X-Error-Code": "RepoNotFound"})
        if what.startswith("/tree/"):
            return httpx.Response(200, json=files)
        siblings = [{"rfilename": each["path"], "size": each["size"]} for each in files]
        return httpx.Response(
            200, json={"id": repository, "sha": self.revision(repository), "siblings": siblings}
        )

    def revision(self, repository):
        return hashlib.sha1(repository.encode()).hexdigest()

    def _files(self, repository):
        folder = self.root / repository
        return [
            {
                "type": "file",
                "path": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "oid": _digest(path),
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]

    def _file(self, request, path):
        if not path.is_file():
            return httpx.Response(404, headers={"X-Error-Code": "EntryNotFound"})
        content, status = path.read_bytes(), 200
        repository = path.relative_to(self.root).parts[:2]
        headers = {"ETag": f'"{_digest(path)}"', "X-Repo-Commit": self.revision("/".join(repository))}
        if start := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")):
            content, status = content[int(start[1]) :], 206
        headers["Content-Length"] = str(len(content))
        if request.method == "HEAD":
            return httpx.Response(200, headers=headers)
        if self.break_off and path.suffix == ".safetensors":
            content = self._broken(content)
        return httpx.Response(status, headers=headers, content=content)

    def _broken(self, content):
        (after, error), self.break_off = self.break_off, None
        yield content[:after]
        raise error


def _digest(path):
    return hashlib.sha1(path.read_bytes()).hexdigest()


def serve(root, home, monkeypatch):
    """Make the hub's client talk to a FakeHub over `root`, and keep what it gets in `home`."""
    fake = FakeHub(root)
    huggingface_hub.set_client_factory(lambda: httpx.Client(transport=httpx.MockTransport(fake.respond)))
    huggingface_hub.close_session()
    monkeypatch.setattr(constants, "HF_HOME", str(home))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    return fake


def stop_serving():
    huggingface_hub.set_client_factory(huggingface_hub.utils._http.default_client_factory)
    huggingface_hub.close_session()
