# Sends requests of many kinds on one connection, and ends others in the middle.
import hashlib, http.client, json, random, socket, struct, sys

host, how = sys.argv[1:]


def connect():
    c = http.client.HTTPConnection(host, timeout=60)
    c.connect()
    return c


def check(got, want):
    if got != want:
        raise SystemExit(f"got {got!r:.300}, want {want!r:.300}")


def said(method, target, mark, body):
    return f"{method} {target} 1 {json.dumps(mark)} {len(body)} {hashlib.sha256(body).hexdigest()}"


def pieces(body, size):
    return (body[i : i + size] for i in range(0, len(body), size))


def ask(c, method, target, mark, body, chunk=0):
    c.request(method, target, pieces(body, chunk) if chunk else body or None, {"X-Mark": mark}, encode_chunked=chunk > 0)
    r = c.getresponse()
    check((r.status, r.getheader("X-Said")), (200, said(method, target, mark, body)))
    check(r.read().decode(), "" if method == "HEAD" else said(method, target, mark, body) + "\n")


c = connect()
sock = c.sock
for i in range(200):
    body = random.Random(i).randbytes(i * 100)
    match i % 4:
        case 0:
            ask(c, "GET", f"/{i}", str(i), b"")
        case 1:
            ask(c, "POST", f"/{i}", str(i), body)
        case 2:
            ask(c, "PUT", f"/{i}", str(i), body, 1 + i * 7)
        case 3:
            ask(c, "HEAD", f"/{i}", str(i), b"")
ask(c, "PUT", "/large", "", random.Random(1).randbytes(3_000_000), 70_001)
ask(c, "PUT", "/small", "", random.Random(2).randbytes(3000), 1)
check(c.sock is sock, True)

c.request("GET", "/events")
r = c.getresponse()
check([r.readline() for _ in range(6)], [line for i in range(3) for line in (b"data: %d\n" % i, b"\n")])
r.close()
c.close()

c = connect()
c.request("GET", "/endless")
r = c.getresponse()
check(len(r.read(100_000)), 100_000)
r.close()
c.close()

for end in "fin", "rst":
    c = connect()
    c.putrequest("POST", "/cut/" + end)
    c.putheader("Content-Length", "1000000")
    c.endheaders()
    c.send(bytes(500_000))
    if end == "rst":
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
