"""The part of Colab's `output` that the package and anywidget use."""

from pathlib import Path


class _widgets:
    """Where anywidget looks up the address of the widget manager that is loaded."""

    _installed_url = None


def enable_custom_widget_manager():
    """Leave a mark for run.py, where Colab would load another widget manager."""
    Path("~/widget-manager-enabled").expanduser().touch()
    _widgets._installed_url = "https://example.org/widget-manager.js"
