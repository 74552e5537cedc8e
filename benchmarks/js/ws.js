// Echo at /echo and a room at /room, on ws for Node.js.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const http = createServer();
const server = new WebSocketServer({ server: http });
const room = new Set();
server.on("connection", (socket, request) => {
  const all = request.url === "/room" ? room : null;
  all?.add(socket);
  socket.on("close", () => all?.delete(socket));
  socket.on("message", (data, binary) => {
    for (const s of all ?? [socket]) s.send(data, { binary });
  });
});
http.listen(0, "127.0.0.1", () => console.log("127.0.0.1:" + http.address().port));
