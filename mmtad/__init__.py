"""End-to-end temporal action detection for MMEngine and MMAction2."""

from . import compat  # noqa: F401  (first: it mends the installed stack)
from .version import __version__

__all__ = ["__version__"]
