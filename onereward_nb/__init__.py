"""OneReward, hands on: mask-guided image editing with FLUX.1-Fill, on a laptop or a large GPU.

Everything below is imported when it is first used, so that `import onereward_nb` takes no time.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = {
    "environment",
    "evaluation",
    "exercises",
    "images",
    "masks",
    "models",
    "pipeline",
    "plots",
    "postcards",
    "reward",
    "rl",
    "tasks",
}
_HOME_OF = {
    "FluxFillCFGPipeline": "pipeline",
    "MODELS": "models",
    "MaskEditor": "widgets.editor",
    "QUICK": "tasks",
    "TASKS": "tasks",
    "compare": "widgets.compare",
    "load_pipeline": "models",
    "load_reward_model": "reward",
    "player": "widgets.player",
    "run_task": "tasks",
    "studio": "widgets.studio",
}

__all__ = sorted([*_MODULES, *_HOME_OF, "__version__"])


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__():
    return __all__
