"""The Python replica of the page: a note in a text area, kept in IndexedDB, synced live."""

from frames import transport
from pyodide.ffi import create_proxy
from store import open_store

from js import location
from syncline.core.documents.values import Text
from syncline.replica import new_node
from syncline.replica.documents import DocumentReplica
from syncline.sync.manager import SyncManager


async def start(area, state, item: str) -> None:
    """Shows the note in a text area from now on, and takes what is typed there."""
    store = await open_store("pyodide-example-python", new_node())
    notes = DocumentReplica(store)

    def show(*_) -> None:
        document = notes.get(item)
        text = str(document["body"]) if document else ""
        if area.value != text:
            area.value = text
        state.value = notes.status.state

    def take(_event) -> None:
        if document := notes.get(item):
            document["body"].replace(area.value)
        else:
            notes.create(item, {"body": Text(area.value)})

    notes.watch(item, show)
    notes.watch_status(show)
    area.addEventListener("input", create_proxy(take))
    show()
    area.disabled = False
    scheme = location.protocol.replace("http", "ws")
    await SyncManager(notes, transport(f"{scheme}//{location.host}/ws")).start_auto_sync()
