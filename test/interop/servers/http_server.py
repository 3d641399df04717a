"""Python's http.server, which speaks HTTP/1.0, with bodies that only the end of the connection ends. Argument: port."""

import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PERIOD = bytes(range(251))


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body, fields={}):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/echo"):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            sha256 = hashlib.sha256(body).hexdigest()
            told = {"method": self.command, "target": self.path, "bytes": len(body), "sha256": sha256}
            self.answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})
        elif self.path.startswith(("/bytes/", "/stream/")):
            length = int(self.path.rpartition("/")[2])
            fields = {"Content-Length": str(length)} if self.path.startswith("/bytes/") else {}
            self.answer(200, (PERIOD * (length // 251 + 1))[:length], fields)
        elif self.path == "/empty":
            self.answer(204, b"")
        else:
            self.answer(404, b"missing", {"Content-Type": "text/plain"})

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print(f"Serving HTTP on 127.0.0.1 port {server.server_port}", flush=True)
server.serve_forever()
