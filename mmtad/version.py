"""The version of mmtad."""

__version__ = "0.1.0"
