"""Commands about documents over a WebSocket, for clients that keep no log: they ask, are answered, and are told."""
