"""A WSGI application that tells what it got, and serves bytes with a length and without."""

import hashlib
import json

PERIOD = bytes(range(251))


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/echo"):
        sha256, count = hashlib.sha256(), 0
        while part := environ["wsgi.input"].read(65_536):
            sha256.update(part)
            count += len(part)
        told = {"method": environ["REQUEST_METHOD"], "target": path, "bytes": count, "sha256": sha256.hexdigest()}
        text = json.dumps(told).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]
    if path.startswith(("/bytes/", "/stream/")):
        length = int(path.rpartition("/")[2])
        whole = (PERIOD * (length // 251 + 1))[:length]
        start_response("200 OK", [("Content-Length", str(length))] if path.startswith("/bytes/") else [])
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return (whole[at : at + 65_536] for at in range(0, length, 65_536))
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "7")])
    return [b"missing"]
