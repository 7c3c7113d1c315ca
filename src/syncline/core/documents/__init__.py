"""Documents: what the ops of an item make. A fold of its events, with no I/O, that every replica computes alike."""
