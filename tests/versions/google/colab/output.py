"""The part of Colab's `output` that the package uses."""

from pathlib import Path


def enable_custom_widget_manager():
    """Leave a mark for run.py, where Colab would load another widget manager."""
    Path("~/widget-manager-enabled").expanduser().touch()
