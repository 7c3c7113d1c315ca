"""Syncline: a local-first sync engine. Events in a log, documents as folds of it, every node a replica."""

from __future__ import annotations

from importlib.metadata import version as _version

__all__ = ["__version__"]

__version__ = _version("syncline")
"""The version of this package."""
