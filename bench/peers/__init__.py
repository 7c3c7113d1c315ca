"""The peers, one module each, found by name: the load generators are other processes and get names only."""

from bench.peers.ceiling import Ceiling
from bench.peers.hocuspocus import Hocuspocus
from bench.peers.nats import JetStream, JetStreamBatches, NatsCore
from bench.peers.node_ws import NodeWs
from bench.peers.pouchdb import PouchDB, PouchDBAllDocs
from bench.peers.pycrdt_websocket import PycrdtWebsocket
from bench.peers.redis import Redis
from bench.peers.syncline import Syncline
from bench.peers.y_websocket import YWebsocket, YWebsocketLevelDB

SYNCLINE, POUCHDB, REDIS, NODE_WS = Syncline(), PouchDB(), Redis(), NodeWs()
NATS_CORE, JETSTREAM, JETSTREAM_BATCHES = NatsCore(), JetStream(), JetStreamBatches()
POUCHDB_ALL_DOCS, CEILING = PouchDBAllDocs(), Ceiling()

YJS_SERVERS = YWebsocket, YWebsocketLevelDB, Hocuspocus, PycrdtWebsocket
YJS, YJS_SHARED = [server() for server in YJS_SERVERS], [server(shared=True) for server in YJS_SERVERS]

PUSHES = {peer.name: peer for peer in (SYNCLINE, POUCHDB, JETSTREAM, JETSTREAM_BATCHES, REDIS, CEILING, *YJS)}
PULLS = {peer.name: peer for peer in (SYNCLINE, POUCHDB, CEILING)} | {"_all_docs": POUCHDB_ALL_DOCS}
LIVES = {peer.name: peer for peer in (SYNCLINE, POUCHDB, NODE_WS, NATS_CORE, CEILING, *YJS_SHARED)}
