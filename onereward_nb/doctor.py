"""`python -m onereward_nb doctor`: what this machine is, which models run on it and why, what is missing."""

import sys
import textwrap

from . import __version__
from .environment import installed, machine, requirements


def report():
    """Print everything; return 0 if the notebooks can run here, 1 if something they need is missing."""
    print(f"onereward_nb {__version__} on Python {sys.version.split()[0]}")
    complete = _print_packages("Packages", requirements())
    _print_packages(
        "Packages to run notebooks in JupyterLab, store outputs and test them", requirements("dev")
    )
    if not complete:
        print("\nMachine and models were not looked at: install what is missing, then ask again.")
        return 1
    this = machine()
    _print_machine(this)
    return 0 if _print_models(can_download=bool(this.gpus)) else 1


def models_in_words():
    """One sentence on the models that edit pictures on this machine."""
    from .models import MODELS, obstacle_to

    if obstacle_to(MODELS["postcard-fill"]):
        return "none. `python -m onereward_nb doctor` says what is missing."
    pipelines = [each for each in MODELS.values() if each.kind == "pipeline" and each.full_size]
    full_size = [each.name for each in pipelines if obstacle_to(each) is None]
    larger = f" This GPU also runs {', '.join(full_size)}." if full_size else ""
    return f"the small ones come with the notebooks: no download, no account.{larger}"


def _print_packages(title, wanted):
    """Print each package with its version; return whether all are there in a version that will do."""
    print(f"\n{title}")
    lacking = []
    for requirement in wanted:
        version = installed(requirement.name)
        good = version is not None and requirement.specifier.contains(version, prereleases=True)
        mark, found = ("ok" if good else "NO"), version or "missing"
        print(f"  {mark:3} {requirement.name:16} {found:14} needs {requirement.specifier}")
        if not good:
            lacking.append(f'"{requirement}"')
    if lacking:
        print(f"  Get what is missing with: pip install {' '.join(lacking)}")
    return not lacking


def _print_machine(this):
    print("\nMachine")
    print(f"  CPU     {this.cpu}, {this.cores} cores")
    print(f"  memory  {this.memory:.0f} GB")
    for gpu in this.gpus:
        numbers = "bfloat16" if gpu.bf16 else "float16 (bfloat16 is only emulated, hence slow)"
        print(f"  GPU     {gpu}, compute capability {'.'.join(map(str, gpu.capability))}, {numbers}")
    if not this.gpus:
        print("  GPU     none that PyTorch can use: the small models run, the full-size ones don't")


def _print_models(can_download):
    """Print which models run and what keeps the others; return whether the smallest one does."""
    from .models import MODELS, obstacle_to, plan_for

    print("\nModels")
    for model in MODELS.values():
        obstacle = obstacle_to(model)
        print(f"  {'NO' if obstacle else 'yes':3} {model.name:32} {model.does}")
        if not obstacle and model.full_size and model.kind == "pipeline":
            plan = plan_for(model)
            print(f"      memory plan {plan.name!r}: {plan.does}")
        if obstacle:
            print(textwrap.indent(textwrap.fill(obstacle, width=90, break_on_hyphens=False), " " * 6))
    if can_download:
        from huggingface_hub import get_token

        login = "yes" if get_token() else "no; run `hf auth login`"
        print(f"\nLogin at Hugging Face, which the full-size models ask for: {login}")
    return obstacle_to(MODELS["postcard-fill"]) is None
