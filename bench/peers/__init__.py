"""The peers, one module each, found by name: the load generators are other processes and get names only."""

from bench.peers.ceiling import Ceiling
from bench.peers.nats import JetStream, JetStreamBatches, NatsCore
from bench.peers.node_ws import NodeWs
from bench.peers.pouchdb import PouchDB, PouchDBAllDocs
from bench.peers.redis import Redis
from bench.peers.syncline import Syncline

SYNCLINE, POUCHDB, REDIS, NODE_WS = Syncline(), PouchDB(), Redis(), NodeWs()
NATS_CORE, JETSTREAM, JETSTREAM_BATCHES = NatsCore(), JetStream(), JetStreamBatches()
POUCHDB_ALL_DOCS, CEILING = PouchDBAllDocs(), Ceiling()

PUSHES = {peer.name: peer for peer in (SYNCLINE, POUCHDB, JETSTREAM, JETSTREAM_BATCHES, REDIS, CEILING)}
PULLS = {peer.name: peer for peer in (SYNCLINE, POUCHDB, CEILING)} | {"_all_docs": POUCHDB_ALL_DOCS}
LIVES = {peer.name: peer for peer in (SYNCLINE, POUCHDB, NODE_WS, NATS_CORE, CEILING)}
