"""The studio: mask editor, settings, result and history in one widget.

studio = onr.studio(pipe, image)
studio                      # shown when it is the last value of a cell
studio.result               # in any later cell: the picture on show
"""

from .. import checks
from ..images import as_mask, upright
from .desk import Studio

_studios = {}  # those of this session, by pipeline, folder and picture; ipywidgets keeps all widgets, too


def studio(pipe, image, mask=None, autosave=None, **settings):
    """A widget to edit a picture with: draw a mask, choose task and settings, see the result as it forms.

    The same pipeline and picture give the same studio again, so that a cell can be run again without losing
    anything. Starting values that changed since the last call are taken over.

    Args:
        pipe: a pipeline from `load_pipeline`.
        image: a picture of any kind that `onereward_nb.images` reads.
        mask: the mask to start with; empty by default.
        autosave: a folder. The mask and every result are written there, and taken up again after the kernel
            was restarted, in place of the starting values. Each picture has a folder of its own in it. Without
            effect while notebook outputs are stored or compared.
        settings: starting values: task, prompt, negative_prompt, true_cfg_scale (1 to 30), num_inference_steps
            (1 to 200), seed (0 to 2**31 - 1), roll, pictures (1 to 4), live. `help(onr.studio(pipe, image))`
            says more.

    Returns:
        A `Studio`.

    Raises:
        TypeError or ValueError for what is no picture, no mask, does not fit, or is no setting, and for a name in
        place of a pipeline; TraitError for a value out of its range.
    """
    checks.pipeline(pipe)
    picture = upright(image)
    start = settings if mask is None else settings | {"mask": as_mask(mask)}
    key = (id(pipe), str(autosave), picture.size, picture.tobytes())
    known = _studios.get(key)
    if known is None:
        known = _studios[key] = Studio(pipe, picture, autosave, start, _forget)
    else:
        known.start_with(start)
    return known


def _forget(closed):
    for key in [key for key, known in _studios.items() if known is closed]:
        del _studios[key]
