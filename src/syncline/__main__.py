"""``python -m syncline``: the command line."""

from __future__ import annotations

from syncline.cli import main

main()
