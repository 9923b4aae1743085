"""Memory plans: what they need, and which is taken on machines that are described here."""

import re
from pathlib import Path

import pytest
import torch

from onereward_nb import plans
from onereward_nb.environment import Gpu, Machine
from onereward_nb.hub import ModelUnavailable
from onereward_nb.plans import PLANS, choose, needs, obstacle, report

T4 = Gpu("T4", 15.8, (7, 5))
V100 = Gpu("V100", 34.1, (7, 0))
RTX_4070 = Gpu("RTX 4070", 12.6, (8, 9))
A4000 = Gpu("A4000", 16.9, (8, 6))
RTX_4090 = Gpu("RTX 4090", 25.4, (8, 9))
RTX_5090 = Gpu("RTX 5090", 33.7, (12, 0))
A100 = Gpu("A100", 42.3, (8, 0))
COLAB = 13.6  # GB of system memory: the 12.7 GiB of its free machines


def machine(gpu, memory=64.0):
    return Machine("a CPU", 8, memory, (gpu,))


def dtype(gpu):
    return torch.bfloat16 if gpu.bf16 else torch.float16


@pytest.fixture
def packages(monkeypatch):
    """Pretends that only these optional packages are installed."""

    def pretend(*names, version="1.0"):
        monkeypatch.setattr(plans, "installed", lambda name: version if name in names else None)

    pretend("torchao", "bitsandbytes")
    return pretend


# --- what they need


def test_parameters_are_those_of_the_published_models():
    counts = {part: round(count / 1e9, 3) for part, (count, _) in plans.parameters().items()}
    assert counts == {"text_encoder": 0.123, "text_encoder_2": 4.762, "transformer": 11.902, "vae": 0.084}
    every, some = plans.parameters()["text_encoder_2"]
    assert (
        every - some == 32128 * 4096 + 24 * (10240 * 4096 + 2 * 4096) + 4096 + 64 * 32
    )  # words, wo, norms, positions


def test_needs_agree_with_what_is_published_for_flux_dev():
    """Peaks in GiB, in diffusers' documentation, of one prediction a step: ours adds another's working memory."""
    gib = 2**30 / 1e9
    assert needs(PLANS["resident"]).gpu == pytest.approx(36.2 * gib, rel=0.03)
    assert needs(PLANS["offload"]).gpu == pytest.approx(23.3 * gib, rel=0.03)
    assert needs(PLANS["int8"]).gpu == pytest.approx(12.2 * gib, rel=0.06)


def test_each_plan_needs_less_of_the_gpu_than_the_one_before():
    for kind in (torch.bfloat16, torch.float16):
        gpu = [needs(plan, kind).gpu for plan in PLANS.values()]
        assert gpu == sorted(gpu, reverse=True)
    assert needs(PLANS["nf4"]).system == min(needs(plan).system for plan in PLANS.values())


def test_t5_is_kept_out_of_float16():
    assert plans.text_dtype(torch.float16) == torch.float32
    assert plans.text_dtype(torch.bfloat16) == torch.bfloat16
    t5 = plans.parameters()["text_encoder_2"][0] / 1e9
    more = needs(PLANS["resident"], torch.float16).gpu - needs(PLANS["resident"]).gpu
    assert more == pytest.approx(2 * t5)


def test_each_moment_holds_what_it_works_with():
    works = {"encoding": "text encoders", "predicting": "transformer", "decoding": "VAE"}
    for plan in PLANS.values():
        moments = plans.moments(plan)
        assert list(moments) == list(works)
        assert max(sum(there.values()) for there in moments.values()) == needs(plan).gpu
        for moment, there in moments.items():
            assert works[moment] in there and min(there.values()) >= 0
            assert "working memory" in there
    assert all(len(there) == 2 for there in plans.moments(PLANS["offload"]).values())
    assert all(len(there) == 4 for there in plans.moments(PLANS["resident"]).values())
    nf4 = {moment: "text encoders" in there for moment, there in plans.moments(PLANS["nf4"]).items()}
    assert nf4 == {"encoding": True, "predicting": False, "decoding": False}


def test_the_readme_gives_these_figures():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for name, plan in PLANS.items():
        row = re.search(
            rf"^\| `{name}` \|[^|]*\| ([\d.]+) GB \| [^|]* \| ([\d.]+) GB \| (\w+) \|(?: `(.*)`)? \|$",
            readme,
            re.M,
        )
        need = needs(plan)
        pictures = "rounded" if plan.weight_bytes else "exact"
        assert row.groups() == (f"{need.gpu:.1f}", f"{need.system:.1f}", pictures, plan.package)


# --- which is taken


@pytest.mark.parametrize(
    ("gpu", "memory", "plan"),
    [
        (A100, 64, "resident"),
        (RTX_5090, 64, "offload"),
        (RTX_4090, 64, "int8"),
        (A4000, 32, "int8"),
        (A4000, COLAB, "nf4"),
        (RTX_4090, 16, "nf4"),
        (A100, COLAB, "nf4"),
        (RTX_4070, 64, "layers"),
        (V100, 64, "offload"),
        (T4, COLAB, "nf4"),
        (T4, 64, "nf4"),  # torchao's int8 wants bfloat16
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_best_that_fits(packages, gpu, memory, plan):
    assert choose(machine(gpu, memory), gpu, dtype(gpu)).name == plan


def test_without_its_package_the_next_plan_is_taken(packages):
    packages("bitsandbytes")
    assert choose(machine(RTX_4090), RTX_4090).name == "nf4"
    packages()
    assert choose(machine(RTX_4090), RTX_4090).name == "layers"
    assert "'int8', but it needs the package torchao: pip install \"torchao>=0.15\"" in report(
        PLANS["layers"], machine(RTX_4090), RTX_4090
    )


def test_nothing_fits(packages):
    small = Gpu("a small GPU", 6.4, (8, 6))
    with pytest.raises(ModelUnavailable) as caught:
        choose(machine(small, 16), small)
    said = str(caught.value)
    assert said.startswith("No memory plan fits a small GPU (6 GB) and 16.0 GB of system memory (estimated")
    assert all(f"'{name}': it needs about" in said for name in PLANS)


def test_a_plan_by_name(packages):
    for name in PLANS:
        assert choose(machine(A100), A100, memory=name) is PLANS[name]
    with pytest.raises(ValueError, match=r"no memory plan 'int4'\. Did you mean 'int8'"):
        choose(machine(A100), A100, memory="int4")


@pytest.mark.parametrize(
    ("name", "gpu", "memory", "figures"),
    [
        ("resident", RTX_4090, 64, r"'resident' .* about 39\.5 GB of GPU memory, this GPU has 25\.4"),
        ("offload", A100, 16, r"'offload' .* about 37\.7 GB of system memory, this machine has 16\.0"),
        ("int8", T4, 64, r"19\.9 GB of GPU memory, this GPU has 15\.8"),
        ("int8", V100, 64, r"go with bfloat16, and this would be float16"),
    ],
)
def test_a_plan_that_cannot_be_had_is_refused_with_the_figures(packages, name, gpu, memory, figures):
    with pytest.raises(ModelUnavailable, match=figures + r".*estimated.*Plans that are: '"):
        choose(machine(gpu, memory), gpu, dtype(gpu), memory=name)


def test_a_plan_without_its_package_says_how_to_get_it(packages):
    packages()
    with pytest.raises(
        ModelUnavailable, match=r"'nf4' is not possible here: .* pip install .bitsandbytes>=0"
    ):
        choose(machine(A4000), A4000, memory="nf4")


def test_a_package_that_is_too_old_is_as_good_as_none(packages):
    packages("torchao", "bitsandbytes", version="0.14")
    assert choose(machine(RTX_4090), RTX_4090).name == "layers"


def test_an_advice_to_install_is_given_only_where_it_helps(packages):
    packages()
    assert "GPU memory" in obstacle(PLANS["nf4"], machine(RTX_4070), RTX_4070)


# --- what is said


def test_the_report_says_which_why_and_what_would_be_better(packages):
    assert report(PLANS["int8"], machine(RTX_4090), RTX_4090).splitlines() == [
        "Memory plan: int8: the transformer rounded to 8 bits, each part moved to the GPU for its turn.",
        "Expected at 1024x1024 (estimated, not measured): 13.7 of 25.4 GB of GPU memory, 25.8 of 64.0 GB of system memory.",
        "Better: 'resident', but it needs about 39.5 GB of GPU memory, this GPU has 25.4.",
        "Better: 'offload', but it needs about 25.6 GB of GPU memory, this GPU has 25.4.",
    ]
    assert "Better: memory='resident'." in report(PLANS["nf4"], machine(A100), A100)
