"""Backups: the logs of all spaces, and apart from them the register, in a folder that needs no server to be read.

    backup.json                                   what this folder is, and how it is encrypted
    2026-11-21T23-40-12.345Z.json                 a backup: where each log ended then, and which files lead there
    logs/<space>/<epoch>/<first>-<last>-….jsonl.zst    a stretch of a log, as a segment of a log in JSON Lines
    register/….jsonl.zst                          users, keys, secrets, which spaces there are

A stretch is never written again, so several backups share those that they have in common. What is not named by any
backup was left by one that was interrupted; the next one goes on with it.
"""
