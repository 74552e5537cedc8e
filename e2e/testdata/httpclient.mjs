// Sends requests of many kinds on one connection, and ends others in the middle.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { text } from "node:stream/consumers";

const [host, how] = process.argv.slice(2);
const [hostname, port] = host.split(":");

const said = (method, path, mark, body) =>
	`${method} ${path} 1 ${JSON.stringify(mark)} ${body.length} ${createHash("sha256").update(body).digest("hex")}`;

const begin = (agent, method, path, headers = {}) => http.request({ agent, hostname, port, method, path, headers });

// ask sends the body in pieces, in chunks if there are several.
async function ask(agent, method, path, mark, ...pieces) {
	const request = begin(agent, method, path, { "X-Mark": mark });
	const answered = once(request, "response");
	const last = pieces.pop();
	for (const piece of pieces) {
		if (!request.write(piece)) await once(request, "drain");
	}
	request.end(last);
	const [response] = await answered;
	const want = said(method, path, mark, Buffer.concat([...pieces, last ?? Buffer.alloc(0)]));
	assert.equal(response.headers["x-said"], want);
	assert.equal(await text(response), method == "HEAD" ? "" : want + "\n");
	return request;
}

const one = new http.Agent({ keepAlive: true, maxSockets: 1 });
for (let i = 0; i < 200; i++) {
	const path = "/" + i, mark = String(i), body = randomBytes(i * 100);
	let request;
	switch (i % 4) {
		case 0: request = await ask(one, "GET", path, mark); break;
		case 1: request = await ask(one, "POST", path, mark, body); break;
		case 2: request = await ask(one, "PUT", path, mark, body, randomBytes(10), randomBytes(70_000)); break;
		case 3: request = await ask(one, "HEAD", path, mark); break;
	}
	assert.equal(request.reusedSocket, i > 0, path);
}
await ask(one, "PUT", "/large", "", ...Array.from({ length: 30 }, () => randomBytes(100_001)));

const many = new http.Agent({ keepAlive: true, maxSockets: 8 });
await Promise.all(Array.from({ length: 100 }, (_, i) => ask(many, "PUT", "/" + i, "", randomBytes(i), randomBytes(5000))));

const expecting = begin(one, "PUT", "/expect", { Expect: "100-continue" });
expecting.flushHeaders();
await once(expecting, "continue");
expecting.end("hello");
const [expected] = await once(expecting, "response");
assert.equal(await text(expected), said("PUT", "/expect", "", "hello") + "\n");

const trailing = begin(one, "PUT", "/sent", { Trailer: "X-Sum", "Transfer-Encoding": "chunked" });
trailing.write("hello");
trailing.addTrailers({ "X-Sum": "sum" });
trailing.end();
const [sent] = await once(trailing, "response");
const summed = await text(sent);
const [trailed] = await once(begin(one, "GET", "/trailer").end(), "response");
assert.equal((await text(trailed)).length, 100_000);
if (how == "direct") { // not all proxies send trailers on
	assert.equal(summed, said("PUT", "/sent", "sum", "hello") + "\n");
	assert.deepEqual(trailed.trailers, { "x-sum": "done" });
}

const [events] = await once(begin(one, "GET", "/events").end(), "response");
events.setEncoding("utf8");
let got = "";
for await (const piece of events) { // leaving the loop ends the connection
	got += piece;
	if (got == "data: 0\n\ndata: 1\n\ndata: 2\n\n") break;
	assert.ok(got.length < 27, got);
}

const [endless] = await once(begin(one, "GET", "/endless").end(), "response");
await once(endless, "data");
endless.destroy();

for (const end of ["fin", "rst"]) {
	const request = begin(undefined, "POST", "/cut/" + end, { "Content-Length": 1_000_000 });
	request.on("error", () => {});
	const [socket] = await once(request, "socket");
	await once(socket, "connect");
	await new Promise((sent) => request.write(Buffer.alloc(500_000), sent));
	if (end == "rst") socket.resetAndDestroy();
	else request.destroy();
}
one.destroy();
many.destroy();
