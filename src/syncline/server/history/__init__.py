"""The history of a space: snapshots of it, how much of it is kept, archives of the rest, and what is erased of it."""
