"""Python's HTTP clients make the same calls, one client after the other. Tells what each was answered as JSON."""

import asyncio
import hashlib
import http.client
import io
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

BASE, CLIENT = sys.argv[1:3]
HOST, PORT = BASE.removeprefix("http://").split(":")
MIB = 1024 * 1024
PERIOD = bytes(range(251))
NOT_PASSED = {"connection", "keep-alive", "transfer-encoding", "via", "x-request-id", "date"}

told = []


def bytes_of(length):
    return (PERIOD * (length // 251 + 1))[:length]


LARGE = bytes_of(3 * MIB)
SMALL = bytes_of(5000)
FORM = {"language": "pt", "name": "cats & dogs"}


def parts(body, size=70_001):
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def async_parts(body):
    for part in parts(body):
        yield part


def tell(call, status, headers, body, **more):
    kept = sorted([name.lower(), value] for name, value in headers if name.lower() not in NOT_PASSED)
    text = hashlib.sha256(body).hexdigest() if len(body) > 10_000 else body.decode()
    told.append({"call": call, "status": status, "headers": kept, "body": text, **more})


def with_http_client():
    connection = http.client.HTTPConnection(HOST, int(PORT), timeout=15)
    sockets = set()

    def call(method, target, body=None, headers={}, **options):
        connection.request(method, target, body, headers, **options)
        sockets.add(connection.sock.getsockname())
        response = connection.getresponse()
        tell(f"{method} {target}", response.status, response.getheaders(), response.read())

    call("GET", "/echo?q=%20", headers={"X-One": "a", "x-two": "b"})
    call("HEAD", "/bytes/1000000")
    call("POST", "/echo", SMALL)
    call("PUT", "/echo", LARGE)
    call("PUT", "/echo/file", io.BytesIO(LARGE), {"Content-Length": str(len(LARGE))})
    call("PUT", "/echo/chunked", parts(LARGE), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    call("POST", "/echo/iterable", parts(SMALL, 100))
    call("DELETE", "/status/204")
    call("GET", "/status/404")
    call("GET", "/bytes/3000000")
    call("GET", "/stream/3000000")
    call("OPTIONS", "*")
    call("GET", "/echo/last")
    told.append({"connections": len(sockets)})


def with_urllib():
    def call(method, target, body=None, headers={}):
        asked = urllib.request.Request(f"{BASE}{target}", body, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=15) as response:
                tell(f"{method} {target}", response.status, response.getheaders(), response.read())
        except urllib.error.HTTPError as error:
            tell(f"{method} {target}", error.code, error.headers.items(), error.read())

    call("GET", "/echo?q=%20", headers={"X-One": "a"})
    call("HEAD", "/bytes/1000000")
    call("POST", "/echo", urllib.parse.urlencode(FORM).encode())
    call("PUT", "/echo", LARGE)
    call("POST", "/echo/iterable", parts(LARGE))
    call("GET", "/redirect")
    call("GET", "/status/204")
    call("GET", "/status/500")
    call("GET", "/stream/3000000")


def with_requests():
    import requests

    with requests.Session() as session:
        ports = set()

        def call(method, target, **options):
            response = session.request(method, f"{BASE}{target}", timeout=15, stream=True, **options)
            connection = getattr(response.raw, "_connection", None)
            if connection is not None and connection.sock is not None:
                ports.add(connection.sock.getsockname())
            tell(f"{method} {target}", response.status_code, response.headers.items(), response.content)
            return response

        call("GET", "/echo", params={"q": "a b"}, headers={"X-One": "a"})
        call("HEAD", "/bytes/1000000")
        call("POST", "/echo", json=FORM)
        call("POST", "/echo", data=FORM)
        call("POST", "/echo", data=FORM, files={"file": ("audio.ogg", LARGE, "audio/ogg")})
        call("PUT", "/echo", data=LARGE)
        call("PUT", "/echo/file", data=io.BytesIO(LARGE))
        call("PUT", "/echo/generator", data=parts(LARGE))
        call("GET", "/gzip")
        call("GET", "/redirect")
        call("GET", "/status/204")
        call("GET", "/status/404")
        call("GET", "/bytes/3000000")
        call("GET", "/stream/3000000")
        call("GET", "/bytes/1000", headers={"Range": "bytes=10-19"})
        told.append({"connections": len(ports), "cookies": sorted(session.cookies.get_dict().items())})


HTTPX_CALLS = [
    ("GET", "/echo", {"params": {"q": "a b"}, "headers": {"X-One": "a"}}),
    ("HEAD", "/bytes/1000000", {}),
    ("POST", "/echo", {"json": FORM}),
    ("POST", "/echo", {"data": FORM}),
    ("POST", "/echo", {"data": FORM, "files": {"file": ("audio.ogg", LARGE, "audio/ogg")}}),
    ("PUT", "/echo", {"content": LARGE}),
    ("PUT", "/echo/generator", {"content": lambda is_async: async_parts(LARGE) if is_async else parts(LARGE)}),
    ("GET", "/gzip", {}),
    ("GET", "/redirect", {"follow_redirects": True}),
    ("GET", "/status/204", {}),
    ("GET", "/status/404", {}),
    ("GET", "/bytes/3000000", {}),
    ("GET", "/stream/3000000", {}),
    ("GET", "/echo/last", {}),
]


def httpx_call(call, is_async):
    method, target, options = call
    content = options.get("content")
    if callable(content):
        options = {**options, "content": content(is_async)}
    return method, f"{BASE}{target}", options


def tell_httpx(call, response, ports):
    ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))
    tell(f"{call[0]} {call[1]}", response.status_code, response.headers.items(), response.content)


def with_httpx():
    import httpx

    ports = set()
    with httpx.Client(timeout=15) as client:
        for call in HTTPX_CALLS:
            method, url, options = httpx_call(call, False)
            tell_httpx(call, client.request(method, url, **options), ports)
        with client.stream("GET", f"{BASE}/stream/3000000") as response:
            tell("streamed", response.status_code, [], b"".join(response.iter_raw()))
    told.append({"connections": len(ports)})


async def with_httpx_async():
    import httpx

    ports = set()
    async with httpx.AsyncClient(timeout=15) as client:
        for call in HTTPX_CALLS:
            method, url, options = httpx_call(call, True)
            tell_httpx(call, await client.request(method, url, **options), ports)
        async with client.stream("GET", f"{BASE}/stream/3000000") as response:
            body = b"".join([part async for part in response.aiter_raw()])
            tell("streamed", response.status_code, [], body)
        told.append({"connections": len(ports)})
        for response in await asyncio.gather(*(client.get(f"{BASE}/echo/{n}") for n in range(50))):
            tell("concurrent", response.status_code, response.headers.items(), response.content)


async def with_aiohttp():
    import aiohttp

    connections = []

    async def created(*_):
        connections.append(1)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(created)
    timeout = aiohttp.ClientTimeout(total=15)
    async with aiohttp.ClientSession(trace_configs=[trace], timeout=timeout) as session:

        async def call(method, target, **options):
            async with session.request(method, f"{BASE}{target}", **options) as response:
                tell(f"{method} {target}", response.status, response.headers.items(), await response.read())

        form = aiohttp.FormData(FORM)
        form.add_field("file", LARGE, filename="audio.ogg", content_type="audio/ogg")
        await call("GET", "/echo", params={"q": "a b"}, headers={"X-One": "a"})
        await call("HEAD", "/bytes/1000000")
        await call("POST", "/echo", json=FORM)
        await call("POST", "/echo", data=FORM)
        await call("POST", "/echo", data=form)
        await call("PUT", "/echo", data=LARGE)
        await call("PUT", "/echo/generator", data=async_parts(LARGE))
        await call("PUT", "/echo/expect", data=SMALL, expect100=True)
        await call("GET", "/gzip")
        await call("GET", "/redirect")
        await call("GET", "/status/204")
        await call("GET", "/status/404")
        await call("GET", "/bytes/3000000")
        await call("GET", "/stream/3000000")
        told.append({"connections": len(connections)})
        await asyncio.gather(*(call("GET", "/bytes/100000") for _ in range(50)))


RUNS = {
    "http.client": with_http_client,
    "urllib": with_urllib,
    "requests": with_requests,
    "httpx": with_httpx,
    "httpx async": lambda: asyncio.run(with_httpx_async()),
    "aiohttp": lambda: asyncio.run(with_aiohttp()),
}
RUNS[CLIENT]()
print(json.dumps(told))
