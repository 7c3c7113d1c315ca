// A broadcast server: every text message goes to all sockets but its sender's. An empty one only keeps alive.
const { WebSocketServer } = require('ws')

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) })

server.on('connection', (socket) => {
  socket.on('message', (message) => {
    if (message.length === 0) return
    for (const other of server.clients) {
      if (other !== socket) other.send(message, { binary: false })
    }
  })
})
