"""An ASGI application that tells what it got, and serves bytes with a length and without."""

import hashlib
import json

PERIOD = bytes(range(251))


async def app(scope, receive, send):
    assert scope["type"] == "http"
    path = scope["path"]

    async def head(status, *headers):
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def body(part=b"", more=False):
        await send({"type": "http.response.body", "body": part, "more_body": more})

    if path.startswith("/echo"):
        sha256, count, more = hashlib.sha256(), 0, True
        while more:
            message = await receive()
            assert message["type"] == "http.request", "the client broke off"
            part = message.get("body", b"")
            sha256.update(part)
            count += len(part)
            more = message.get("more_body", False)
        told = {"method": scope["method"], "target": path, "bytes": count, "sha256": sha256.hexdigest()}
        text = json.dumps(told).encode()
        await head(200, (b"content-type", b"application/json"), (b"content-length", str(len(text)).encode()))
        await body(text)
    elif path.startswith(("/bytes/", "/stream/")):
        length = int(path.rpartition("/")[2])
        whole = (PERIOD * (length // 251 + 1))[:length]
        fields = [(b"content-length", str(length).encode())] if path.startswith("/bytes/") else []
        await head(200, *fields)
        for at in range(0, length, 65_536):
            await body(whole[at : at + 65_536], True)
        await body()
    elif path == "/empty":
        await head(204)
        await body()
    else:
        await head(404, (b"content-type", b"text/plain"))
        await body(b"missing")
