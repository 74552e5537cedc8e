"""A client of nextrush.v1, as a sketch: events, requests, rooms with history. See docs/protocol.md.

run() keeps a connection: it asks before it gives one up, comes back when the server wants it to, and loses no event of a
room without telling "gap".
"""
import asyncio, itertools, json, random, re
import websockets  # Debian: python3-websockets


class Client:
    def __init__(self, url):
        self.url, self.handlers, self.replies, self.ids = url, {}, {}, itertools.count(1)
        self.at, self.held, self.unasked, self.mids = {}, {}, {}, {}  # of rooms: positions, live events before synced
        self.id, self.retry, self.spread = None, None, 1000

    def on(self, event, f): self.handlers[event] = f  # f(*data); also "open", and "gap" with the room

    async def emit(self, event, *data):
        await self.send(type="event", event=event, data=data)

    async def request(self, event, *data, timeout=10, **more):  # key="…": carried out once
        n = next(self.ids)
        self.replies[n] = reply = asyncio.get_running_loop().create_future()
        try:
            await self.send(type="event", event=event, data=data, id=n, **more)
            return (await asyncio.wait_for(reply, timeout) or [None])[0]
        finally:
            del self.replies[n]

    async def send(self, **message):
        await self.ws.send(json.dumps(message))

    async def run(self):
        for failed in itertools.count():
            try:
                async with websockets.connect(self.url, subprotocols=["nextrush.v1"], ping_interval=None) as self.ws:
                    await self.serve()
                failed = -1  # it was good
            except (OSError, asyncio.TimeoutError, websockets.InvalidHandshake, websockets.ConnectionClosed): pass
            for reply in self.replies.values():
                reply.done() or reply.set_exception(ConnectionError("lost: it may have been carried out"))
            least, most = self.retry or (50, min(30_000, 1000 * 2**failed) if failed >= 0 else self.spread)
            await asyncio.sleep(random.uniform(least, most) / 1000)

    async def serve(self):
        hello = json.loads(await asyncio.wait_for(self.ws.recv(), 10))
        was, self.id, self.retry, asked = self.id, hello["id"], None, False
        self.spread, silence = hello["spread"], hello.get("beat", 10**9) / 1000 + 5
        if self.at:
            self.held = {room: [] for room in self.at}
            await self.send(type="sync", was=was, rooms=self.at)
        self.tell("open")
        while True:
            try:
                frame = await asyncio.wait_for(self.ws.recv(), 5 if asked else silence)
            except asyncio.TimeoutError:
                if asked:
                    return  # it is dead
                asked = await self.send(type="ping", t=1) or True
                continue
            except websockets.ConnectionClosed:
                after = re.search(r"retry=(\d+)-(\d+)$", self.ws.close_reason or "")
                self.retry = after and (int(after[1]), int(after[2]))
                return
            asked = False
            if isinstance(frame, str): await self.take(json.loads(frame))

    async def take(self, m):
        kind, room, reply = m["type"], m.get("room"), self.replies.get(m.get("id"))
        if kind == "event":
            self.event(m)
        elif kind in ("ack", "error") and reply:
            reply.set_result(m["data"]) if kind == "ack" else reply.set_exception(RuntimeError(m["message"]))
        elif kind == "ping" and "t" in m:
            await self.send(type="pong", t=m["t"])
        elif kind == "ping": self.spread = m.get("spread", self.spread)
        elif kind == "joined" and room in self.held:
            self.unasked[room] = "replayed" in m  # what follows up to synced is not the answer to our position
        elif kind == "synced" and room in self.held and self.unasked.pop(room, False): return
        elif "epoch" in m and kind in ("joined", "synced"):
            self.at[room] = [m["epoch"], m["offset"]]
        if kind == "synced":
            m["recovered"] or self.tell("gap", room)
            for event in self.held.pop(room, []): self.event(event)

    def event(self, m):
        room = m.get("room")
        if room in self.held and not m.get("replayed"):
            return self.held[room].append(m)
        if room in self.held and self.unasked.get(room): return
        if room in self.at:
            if m["offset"] <= self.at[room][1]:
                return
            self.at[room][1] = m["offset"]
        if "mid" not in m or self.mids.setdefault(m["mid"], m) is m:
            self.tell(m["event"], *m["data"])

    def tell(self, event, *data):
        self.handlers.get(event, lambda *_: None)(*data)
