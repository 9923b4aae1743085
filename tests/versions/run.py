"""Run notebooks with other versions than requirements.txt has: Colab's, or the oldest that pyproject.toml admits.

    python tests/versions/run.py colab                                     # all notebooks
    python tests/versions/run.py oldest notebooks/00_start_here.ipynb      # or some

Each call makes a virtual environment and compares the stored outputs in it, with nbval. For Colab the
notebooks are published first, from a copy of this repository: their set-up cells fetch the package from it, and
google.colab is a stand-in. PyTorch stays as it is here, because another one would bring gigabytes of CUDA along.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REPOSITORY = "reader/onereward"
NOTEBOOK_RUNNERS = {
    "nbclient",
    "nbformat",
    "nbval",
    "pytest",
    "pytest-xdist",
}  # the rest of "dev" are applications

sys.path.insert(0, str(ROOT))  # for onereward_nb


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("versions", choices=["colab", "oldest"])
    parser.add_argument("notebooks", nargs="*", default=["notebooks"], help="relative to the repository")
    parser.add_argument("--environments", type=Path, help="a folder to keep them in, and use them again from")
    options = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as folder:
        python = environment((options.environments or Path(folder)) / options.versions, options.versions)
        compare = in_colab if options.versions == "colab" else here
        return compare(python, options.notebooks, Path(folder))


def environment(folder, versions):
    """A virtual environment with PyTorch and the packages of `versions`. Returns its Python."""
    python = folder.resolve() / "bin" / "python"
    if (folder / "complete").exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    link_torch(folder)
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    wanted = ["--no-deps", "-r", HERE / "colab.txt"] if versions == "colab" else oldest()
    subprocess.run([*pip, *wanted], check=True)
    (folder / "complete").touch()
    return python


def link_torch(folder):
    """Link PyTorch and NVIDIA's libraries, if it came with them, from the environment at hand."""
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for package in metadata.distributions():
        if package.name.startswith(("torch", "triton", "nvidia", "cuda")):
            for name in {file.parts[0] for file in package.files} - {"..", "__pycache__"}:
                target = Path(package.locate_file(name))
                if not (site / name).exists():
                    (site / name).symlink_to(target)


def oldest():
    """The packages of pyproject.toml, each at the start of its range: ["diffusers==0.39", ...]."""
    from onereward_nb.environment import requirements

    wanted = requirements() + [each for each in requirements("dev") if each.name in NOTEBOOK_RUNNERS]
    starts = {each.name: str(each.specifier).removeprefix(">=") for each in wanted if each.name != "torch"}
    return [f"{name}=={start}" for name, start in starts.items()]


def here(python, notebooks, folder):
    return nbval(python, notebooks, ROOT, PYTHONPATH=ROOT)


def in_colab(python, notebooks, folder):
    repository, home = folder / "repository", folder / "home"
    publish_to(repository)
    home.mkdir()
    status = nbval(
        python,
        notebooks,
        repository,
        COLAB_RELEASE_TAG="stand-in",
        PYTHONPATH=HERE,  # for google.colab; the package itself has to be fetched
        HOME=home,
        GIT_CONFIG_COUNT=1,
        GIT_CONFIG_KEY_0=f"url.{repository.as_uri()}.insteadOf",
        GIT_CONFIG_VALUE_0=f"https://github.com/{REPOSITORY}",
    )
    for trace, missing in {
        "onereward/onereward_nb": "The set-up cells did not fetch the package.",
        "widget-manager-enabled": "The set-up cells did not enable Colab's widget manager.",
    }.items():
        if not (home / trace).exists():
            print(missing)
            status = 1
    return status


def publish_to(folder):
    """A copy of this repository, as it is in the working tree, published, committed and tagged."""
    from onereward_nb.publishing import tag

    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)

    def run(*command):
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run(sys.executable, "-m", "onereward_nb", "notebooks", "--publish", REPOSITORY)
    run("git", "init", "--quiet")
    run("git", "add", ".")
    run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "test")
    run("git", "tag", tag())


def nbval(python, notebooks, folder, **variables):
    """Compare the stored outputs of notebooks, with pytest in `folder`. Returns pytest's exit status."""
    options = ["-q", "-p", "no:cacheprovider", "--durations=3"]
    options.append(
        "--numprocesses=0"
    )  # one notebook at a time: in Colab, too, each fetches the package alone
    command = [python, "-m", "pytest", *options, *notebooks]
    variables = {name: str(value) for name, value in variables.items()}
    return subprocess.run(command, cwd=folder, env=os.environ | variables).returncode


if __name__ == "__main__":
    sys.exit(main())
