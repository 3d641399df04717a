"""make-video's calls as its own client makes them: httpx with its options, one answer after the other, told as JSON."""

import asyncio
import hashlib
import json
import sys

import httpx

SEARCH, DOWNLOADER, TRANSCRIBER, ROUNDS, UPLOAD_BYTES = sys.argv[1:6]

told = []


def tell(call, response):
    response.raise_for_status()
    kept = {k: v for k, v in response.headers.items() if k in ("content-type", "content-length", "etag", "accept-ranges")}
    body = hashlib.sha256(response.content).hexdigest()
    told.append({"call": call, "status": response.status_code, "headers": kept, "sha256": body})
    return response


async def finished(client, name, url):
    for _ in range(40):
        job = tell(f"{name} poll", await client.get(url)).json()
        if job["status"] == "completed":
            return job
    raise RuntimeError(f"{name} never finished")


async def make_video(client, number, upload_bytes):
    params = {"query": f"cats & dogs {number}", "max_results": 5}
    search = tell("search", await client.post(f"{SEARCH}/search/shorts", params=params)).json()
    found = await finished(client, "search", f"{SEARCH}/jobs/{search['id']}")
    tell("search wait", await client.get(f"{SEARCH}/jobs/{search['id']}/wait", timeout=90.0))
    for result in found["result"]["results"][:2]:
        asked = {"url": f"https://youtube.com/watch?v={result['video_id']}", "quality": "best"}
        download = tell("download", await client.post(f"{DOWNLOADER}/jobs", json=asked)).json()
        await finished(client, "download", f"{DOWNLOADER}/jobs/{download['id']}")
        tell("file", await client.get(f"{DOWNLOADER}/jobs/{download['id']}/download"))
    audio = hashlib.sha256(str(number).encode()).digest() * (upload_bytes // 32)
    files = {"file": ("audio.ogg", audio, "audio/ogg")}
    job = tell("upload", await client.post(f"{TRANSCRIBER}/jobs", files=files, data={"language_in": "pt"})).json()
    assert job["sha256"] == hashlib.sha256(audio).hexdigest(), "the upload arrived changed"
    await finished(client, "transcription", f"{TRANSCRIBER}/jobs/{job['id']}")
    tell("text", await client.get(f"{TRANSCRIBER}/jobs/{job['id']}/transcription"))


async def main():
    transport = httpx.AsyncHTTPTransport(retries=3, verify=False)
    async with httpx.AsyncClient(timeout=30.0, transport=transport, headers={"X-API-Key": "test"}) as client:
        for number in range(int(ROUNDS)):
            await make_video(client, number, int(UPLOAD_BYTES) if number == 0 else 64_000)
        redirect = await client.get(f"{SEARCH}/jobs")
        told.append({"call": "redirect", "status": redirect.status_code})
        missing = await client.get(f"{DOWNLOADER}/jobs/none")
        told.append({"call": "missing", "status": missing.status_code, "body": missing.text})
        for base in (SEARCH, DOWNLOADER, TRANSCRIBER):
            tell("health", await client.get(f"{base}/health", timeout=3.0))


asyncio.run(main())
json.dump(told, sys.stdout)
