"""Documents of one declared type: ``{"type": "orset", …}`` as the body of ``PUT docs/{id}`` and ``POST …/ops``."""
