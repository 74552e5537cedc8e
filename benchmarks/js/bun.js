// Echo at /echo and a room at /room, on Bun, which has uWebSockets inside.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const room = new URL(request.url).pathname === "/room";
    if (!server.upgrade(request, { data: { room } })) return new Response("", { status: 426 });
  },
  websocket: {
    idleTimeout: 120,
    open(socket) {
      if (socket.data.room) socket.subscribe("room");
    },
    message(socket, data) {
      if (!socket.data.room) return socket.send(data);
      server.publish("room", data);
    },
  },
});
console.log("127.0.0.1:" + server.port);
