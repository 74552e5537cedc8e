// One of several nodes of socket.io, joined by its Redis adapter; the argument is the URL of
// Redis. The event "room" goes to everybody. /ask asks all nodes for their sockets again and
// again, and /publish sends events to a room.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const pub = createClient({ url: process.argv[2] });
const sub = pub.duplicate();
await Promise.all([pub.connect(), sub.connect()]);

const http = createServer(async (req, res) => {
  const query = new URL(req.url, "http://node").searchParams;
  const answer = req.url.startsWith("/ask") ? ask(+query.get("n")) : publish(query.get("room"), +query.get("n"), +query.get("rate"));
  res.end(JSON.stringify(await answer));
});
const io = new Server(http, { transports: ["websocket"], adapter: createAdapter(pub, sub) });
io.on("connection", (socket) => {
  socket.join("all");
  socket.on("room", (data) => io.to("all").emit("room", data));
});

async function ask(n) {
  const answers = [];
  for (let i = 0; i < n; i++) {
    const start = performance.now();
    const answer = { found: 0, missing: 0 };
    try {
      answer.found = (await io.in("all").fetchSockets()).length;
    } catch {
      answer.missing = 1; // what came is lost
    }
    answer.micros = (performance.now() - start) * 1000;
    answers.push(answer);
  }
  return answers;
}

async function publish(room, n, rate) {
  const text = "x".repeat(100);
  const used = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < n; i++) {
    if (i % (rate > 0 ? Math.max(1, rate / 1000) : 100) === 0) {
      const wait = rate > 0 ? start + (i * 1000) / rate - performance.now() : 0;
      await new Promise((resolve) => (wait > 0 ? setTimeout(resolve, wait) : setImmediate(resolve)));
    }
    if (i % 1000 === 0) await pub.ping(); // no more than that may wait
    io.to(room).emit("said", text);
  }
  await pub.ping();
  const { user, system } = process.cpuUsage(used);
  return { cpu: (user + system) / n, seconds: (performance.now() - start) / 1000 };
}

http.listen(0, "127.0.0.1", () => console.log("127.0.0.1:" + http.address().port));
