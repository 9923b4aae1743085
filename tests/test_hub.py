"""Downloads from the hub, and what each refusal says to do: the real client against a pretended server."""

import errno
import shutil
from collections import namedtuple

import huggingface_hub
import pytest
from fake_hub import httpx
from huggingface_hub import constants

from onereward_nb import hub
from onereward_nb.hub import ModelUnavailable

REPOSITORY = "black-forest-labs/FLUX.1-Fill-dev"
OTHER = "bytedance-research/OneReward"
PATTERNS = ["model_index.json", "transformer/*", "vae/*"]
Disk = namedtuple("Disk", "total used free")


def fetch(patterns):
    return hub.download({REPOSITORY: patterns})[REPOSITORY]


def fetched(server):
    """The files that were sent, not only asked about: [(name, the Range of it or None)]."""
    sent = [request for request in server.requests if request[0] == "GET" and "/resolve/" in request[1]]
    return [(path.split("/", 5)[-1], part) for _, path, part in sent]


# --- downloads


def test_download_takes_what_matches_and_nothing_else(hub_server, repositories):
    folder = fetch(PATTERNS)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    weights = {
        f"{part}/{name}"
        for part in ("transformer", "vae")
        for name in ("config.json", "diffusion_pytorch_model.safetensors")
    }
    assert files == {"model_index.json"} | weights
    for name in files:
        assert (folder / name).read_bytes() == (repositories / REPOSITORY / name).read_bytes()
    assert folder.name == hub_server.revision(REPOSITORY)


def test_what_is_here_is_used_without_asking(hub_server):
    assert hub.downloaded(REPOSITORY, PATTERNS) is None
    folder = fetch(PATTERNS)
    hub_server.requests.clear()
    hub_server.refuse("/", httpx.ConnectError("no network"))
    assert fetch(PATTERNS) == hub.downloaded(REPOSITORY, PATTERNS) == folder
    assert not hub_server.requests


def test_a_part_that_is_missing_is_fetched_alone(hub_server):
    fetch(["vae/*"])
    assert hub.downloaded(REPOSITORY, PATTERNS) is None
    hub_server.requests.clear()
    fetch(["vae/*", "scheduler/*"])
    assert fetched(hub_server) == [("scheduler/scheduler_config.json", None)]


def test_what_another_program_left_is_completed(hub_server):
    huggingface_hub.hf_hub_download(REPOSITORY, "model_index.json", cache_dir=constants.HF_HUB_CACHE)
    assert hub.downloaded(REPOSITORY, PATTERNS) is None
    hub_server.requests.clear()
    assert (fetch(PATTERNS) / "vae" / "config.json").is_file()
    assert ("model_index.json", None) not in fetched(hub_server)


def test_after_a_short_break_a_download_goes_on_where_it_stopped(hub_server, repositories, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100)  # the client writes in pieces of this size
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub_server.cut(1000, httpx.RemoteProtocolError("the connection was closed"))
    weights = "vae/diffusion_pytorch_model.safetensors"
    folder = fetch([weights])
    assert (folder / weights).read_bytes() == (repositories / REPOSITORY / weights).read_bytes()
    assert fetched(hub_server) == [(weights, None), (weights, "bytes=1000-")]


def test_after_a_long_break_the_files_that_came_whole_are_kept(hub_server, repositories):
    hub_server.cut(1000, httpx.ReadError("the network is gone"))
    with pytest.raises(
        ModelUnavailable, match=rf"{REPOSITORY}, 0\.\d GB, broke off \(the network is gone\)\. Run this again"
    ):
        fetch(["vae/*"])
    assert hub.downloaded(REPOSITORY, ["vae/*"]) is None
    hub_server.requests.clear()
    weights = "vae/diffusion_pytorch_model.safetensors"
    folder = fetch(["vae/*"])
    assert (folder / weights).read_bytes() == (repositories / REPOSITORY / weights).read_bytes()
    assert fetched(hub_server) == [(weights, None)]


def test_downloads_show_their_progress(hub_server, capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    huggingface_hub.utils.enable_progress_bars()
    fetch(["vae/*"])
    assert "Fetching 2 files: 100%" in capsys.readouterr().err


# --- room on the disk


def test_a_disk_without_room_is_noticed_before_anything_is_fetched(hub_server, monkeypatch, repositories):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Disk(50e9, 47.9e9, 2.1e9))
    monkeypatch.setattr(hub, "ROOM", 3e9)
    with pytest.raises(
        ModelUnavailable, match=rf"{REPOSITORY} take 0\.0 GB more .* 3 GB of room; 2\.1 GB are free.*HF_HOME"
    ):
        fetch(PATTERNS)
    assert not fetched(hub_server)


def test_the_room_that_is_needed_is_that_of_the_missing_files(hub_server, monkeypatch, repositories):
    vae, transformer = (
        sum(path.stat().st_size for path in (repositories / REPOSITORY / part).iterdir())
        for part in ("vae", "transformer")
    )
    monkeypatch.setattr(hub, "ROOM", 0)
    fetch(["vae/*"])
    for free, enough in ((transformer - 1, False), (transformer, True)):
        assert transformer - 1 < vae + transformer
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, free=free: Disk(0, 0, free))
        if enough:
            assert fetch(["vae/*", "transformer/*"])
        else:
            with pytest.raises(ModelUnavailable, match="Make room"):
                fetch(["vae/*", "transformer/*"])


def test_a_disk_that_fills_up_on_the_way(hub_server, monkeypatch):
    real = huggingface_hub.snapshot_download

    def full(repository, **options):
        if options.get("dry_run") or options.get("local_files_only"):
            return real(repository, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", full)
    with pytest.raises(ModelUnavailable, match=r"take 0\.\d GB more on the disk of .*hub.*hf cache ls"):
        fetch(PATTERNS)


def test_a_folder_that_may_not_be_written_says_so_itself(hub_server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way of a folder")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    with pytest.raises(OSError, match="file"):
        fetch(PATTERNS)


def test_the_room_is_that_for_all_repositories_together(hub_server, monkeypatch, repositories):
    wanted = {REPOSITORY: ["vae/*"], OTHER: ["flux.1-fill-dev-OneReward-transformer/*"]}
    files = [path for name, (pattern,) in wanted.items() for path in (repositories / name).glob(pattern)]
    size = sum(path.stat().st_size for path in files)
    monkeypatch.setattr(hub, "ROOM", 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Disk(0, 0, size - 1))
    with pytest.raises(ModelUnavailable, match=rf"{REPOSITORY} and {OTHER} take"):
        hub.download(wanted)
    assert not fetched(hub_server)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Disk(0, 0, size))
    assert list(hub.download(wanted)) == [REPOSITORY, OTHER]


# --- refusals


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, "GatedRepo"), r"FLUX.1-Fill-dev asks for a login.*hf auth login.*HF_TOKEN"),
        ((403, "GatedRepo"), r"huggingface.co/black-forest-labs/FLUX.1-Fill-dev and accept its licence"),
        (
            (403, None, "Please enable access to public gated repositories"),
            r"knows your token, but does not take it.*too narrow.*/settings/tokens",
        ),
        (
            (401, None, "Invalid credentials in Authorization header"),
            r"knows your token, but does not take it.*expired",
        ),
        ((404, "RepoNotFound"), r"was not found, or your token is not valid"),
        ((404, "RevisionNotFound"), r"has changed on the hub.*Run this again.*/commits/main"),
        ((503, None), r"status 503.*Try again later"),
        ((httpx.ConnectError("no route"),), r"No connection to the hub.*postcard"),
    ],
    ids=[
        "no login",
        "no licence",
        "narrow token",
        "bad token",
        "not found",
        "revision",
        "hub down",
        "no network",
    ],
)
@pytest.mark.parametrize("request_for", ["/auth-check", "/resolve/", "/tree/"])
def test_refusals(hub_server, answer, words, request_for, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client waits before it tries again
    hub_server.refuse(request_for, *answer)
    with pytest.raises(ModelUnavailable, match=words) as caught:
        fetch(PATTERNS)
    assert caught.value.__cause__ is not None
    hub_server.allow_all()
    assert fetch(PATTERNS)


def test_a_file_that_is_gone(hub_server):
    hub_server.refuse("/resolve/", 404, "EntryNotFound")
    with pytest.raises(ModelUnavailable, match=r"has changed on the hub: what was asked for is gone"):
        fetch(PATTERNS)


def test_offline_by_choice(hub_server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.set_client_factory(huggingface_hub.utils._http.default_client_factory)
    huggingface_hub.close_session()
    with pytest.raises(ModelUnavailable, match="unset HF_HUB_OFFLINE"):
        fetch(PATTERNS)
