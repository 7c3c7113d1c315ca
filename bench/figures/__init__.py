"""The figures, one module each, in the order in which they are measured."""

from collections.abc import Callable

from bench.figures import (
    access,
    backup,
    browser,
    documents,
    edits,
    history,
    initial_sync,
    live,
    logins,
    many_spaces,
    memory,
    merkle,
    new_replica,
    patch_storage,
    patches,
    pull,
    push,
    push_access,
    revisions,
    rows,
    several_servers,
    stores,
    transports,
    updates,
)
from bench.plan import Plan
from bench.results import Figure

FIGURES: dict[str, Callable[[Plan], Figure]] = {
    "push": push.measure,
    "pull": pull.measure,
    "live": live.measure,
    "updates": updates.measure,
    "stores": stores.measure,
    "transports": transports.measure,
    "several_servers": several_servers.measure,
    "memory": memory.measure,
    "many_spaces": many_spaces.measure,
    "history": history.measure,
    "backup": backup.measure,
    "initial_sync": initial_sync.measure,
    "new_replica": new_replica.measure,
    "rows": rows.measure,
    "merkle": merkle.measure,
    "patches": patches.measure,
    "documents": documents.measure,
    "edits": edits.measure,
    "revisions": revisions.measure,
    "patch_storage": patch_storage.measure,
    "access": access.measure,
    "push_access": push_access.measure,
    "logins": logins.measure,
    "browser": browser.measure,
}
