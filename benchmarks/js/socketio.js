// socket.io with its WebSocket transport: the event "echo" goes back to its sender, the
// event "room" to everybody.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"] });
io.on("connection", (socket) => {
  socket.on("echo", (data) => socket.emit("echo", data));
  socket.on("room", (data) => io.emit("room", data));
});
http.listen(0, "127.0.0.1", () => console.log("127.0.0.1:" + http.address().port));
