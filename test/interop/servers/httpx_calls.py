"""httpx calls a server that tells what it got. Fails when an answer is wrong. Arguments: base URL, `chunked` or `lengths`."""

import hashlib
import sys

import httpx

BASE, CHUNKED = sys.argv[1], sys.argv[2] == "chunked"
PERIOD = bytes(range(251))
UPLOAD = (PERIOD * 30_000)[: 5 * 1024 * 1024]


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def echoed(response, body):
    assert response.status_code == 200, (response.status_code, response.text)
    told = response.json()
    assert (told["bytes"], told["sha256"]) == (len(body), sha256(body)), told


with httpx.Client(base_url=BASE, timeout=15) as client:
    echoed(client.get("/echo"), b"")
    echoed(client.post("/echo", content=UPLOAD), UPLOAD)
    if CHUNKED:
        parts = (UPLOAD[at : at + 70_001] for at in range(0, len(UPLOAD), 70_001))
        echoed(client.put("/echo", content=parts), UPLOAD)
    head = client.head("/bytes/1000")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "1000", b""), head.headers
    for target in ("/bytes/5000000", "/stream/5000000"):
        body = client.get(target).content
        assert body == (PERIOD * 20_000)[:5_000_000], (target, len(body))
    assert client.get("/missing").status_code == 404
    assert client.get("/empty").status_code == 204
    for number in range(10):
        body = f"number {number}".encode()
        echoed(client.post(f"/echo/{number}", content=body), body)
print("ok")
