"""Access: who may do what, and who sees what. A fold of a space's system events, with no I/O."""
