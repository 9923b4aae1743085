"""What machine this is, and the one set-up line of every notebook.

    from onereward_nb import environment
    environment.setup()

Stored outputs must be the same whoever makes them. So while notebooks are run to store or compare their
outputs, the kernel has the environment variables of `FROZEN`: one thread, no GPU, no network, no progress
bars, and no machine named.
"""

import os
import platform
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

FROZEN = {
    "ONEREWARD_NB_FROZEN": "1",
    "OMP_NUM_THREADS": "1",  # sums over more round differently, and notebooks that run side by side hinder each other
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "",  # what is stored has to come out the same on a laptop
    "HF_HUB_OFFLINE": "1",
    "TQDM_DISABLE": "1",
}


def frozen():
    """True while notebook outputs are being stored or compared."""
    return os.environ.get("ONEREWARD_NB_FROZEN") == "1"


def on_colab():
    """True in a Google Colab kernel."""
    return "COLAB_RELEASE_TAG" in os.environ


def setup(seed=0):
    """Make the kernel ready for a notebook, and say in two lines which machine and which models it will use.

    Seeds torch and numpy, and silences loading bars and advice meant for developers. On Colab it also adds
    what is missing there, without replacing anything that Colab ships; elsewhere it installs nothing.
    """
    if on_colab():
        _complete_colab()
    _quieten()
    _sow(seed)
    from onereward_nb import doctor

    if frozen():
        print("Machine: outputs stored on one core of a CPU; run this cell to see your own machine here.")
    else:
        print(f"Machine: {machine()}.")
    print(f"Models:  {doctor.models_in_words()}")


def progress(steps, what):
    """Go through `steps` with a progress bar labelled `what`.

    The bar shows up after two seconds, so that quick work stays quiet, and goes away at the end.
    """
    from tqdm.auto import tqdm

    return tqdm(steps, desc=what, delay=2, leave=False, disable=frozen())


@dataclass(frozen=True)
class Gpu:
    """One CUDA device: its name, memory in GB and compute capability."""

    name: str
    memory: float
    capability: tuple

    @property
    def bf16(self):
        # torch.cuda.is_bf16_supported() also says yes where bf16 is emulated, hence slow.
        return self.capability >= (8, 0)

    def __str__(self):
        return f"{self.name} ({self.memory:.0f} GB)"


@dataclass(frozen=True)
class Machine:
    """This machine: CPU model, cores this process may use, memory in GB, CUDA devices."""

    cpu: str
    cores: int
    memory: float
    gpus: tuple

    def __str__(self):
        gpus = ", ".join(map(str, self.gpus)) or "no GPU"
        return f"{self.cpu}, {self.cores} cores, {self.memory:.0f} GB of memory, {gpus}"


def machine():
    """The machine this runs on, as a `Machine`."""
    import psutil

    return Machine(_cpu_model(), _cores(), psutil.virtual_memory().total / 1e9, _gpus())


def project():
    """What pyproject.toml says of the project: its version, address and requirements, as a dictionary."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(group=None):
    """What the package needs, as `packaging` requirements; or what an optional group such as "dev" does."""
    from packaging.requirements import Requirement

    about = project()
    lines = about["optional-dependencies"][group] if group else about["dependencies"]
    return [Requirement(line) for line in lines]


def installed(name):
    """The installed version of a package as text, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _complete_colab():
    found = {requirement: installed(requirement.name) for requirement in requirements()}
    absent = [str(requirement) for requirement, version in found.items() if version is None]
    if absent:
        _install_beside_the_rest(absent)
    unfit = [
        f"{each.name} {version}"
        for each, version in found.items()
        if version and not each.specifier.contains(version, prereleases=True)
    ]
    if unfit:
        print(
            f"This runtime has {', '.join(unfit)}, older than the notebooks need. Choose its latest version, "
            "under Runtime > Change runtime type."
        )
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))  # `import onereward_nb` goes on working after a %cd
    from google.colab import output

    output.enable_custom_widget_manager()  # Colab shows anywidget's widgets only after this


def _install_beside_the_rest(packages):
    """Install packages and what they need; what is there stays, for another torch would want a restart."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "kept.txt")
        kept.write_text("".join(f"{each.name}=={each.version}\n" for each in metadata.distributions()))
        command = ["pip", "install", "--quiet", "--constraint", str(kept), *packages]
        subprocess.run([sys.executable, "-m", *command], check=True)


def _quieten():
    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    if not frozen():  # the line above took away the bars of downloads too: those take minutes
        import huggingface_hub

        huggingface_hub.utils.enable_progress_bars()


def _sow(seed):
    import numpy as np
    import torch

    torch.manual_seed(seed)
    np.random.seed(seed)


def _cpu_model():
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        return subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True).strip()
    return platform.processor() or platform.machine()


def _cores():
    if hasattr(os, "sched_getaffinity"):  # a container may see fewer cores than the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _gpus():
    import torch

    found = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return tuple(Gpu(gpu.name, gpu.total_memory / 1e9, (gpu.major, gpu.minor)) for gpu in found)
