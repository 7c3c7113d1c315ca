"""What several stores keep in files of SQLite: the file itself, a log's nodes, and its index by item."""
