// Echo at /echo and a room at /room, on Bun, which has uWebSockets inside. With the
// argument deflate, everything is compressed. At /joined, an echo whose connections are
// in one room. All connections have Bun's own heartbeat.
const deflate = process.argv.includes("deflate");
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const path = new URL(request.url).pathname;
    const data = { joined: path !== "/echo", room: path === "/room" };
    if (!server.upgrade(request, { data })) return new Response("", { status: 426 });
  },
  websocket: {
    idleTimeout: 120,
    perMessageDeflate: deflate && { compress: "shared", decompress: "shared" },
    open(socket) {
      if (socket.data.joined) socket.subscribe("room");
    },
    message(socket, data) {
      if (!socket.data.room) return socket.send(data, deflate);
      server.publish("room", data);
    },
  },
});
console.log("127.0.0.1:" + server.port);
