"""make-video's loop over an upload and its polls, while every job fails; then once a service is well again.
Arguments: the transcriber's base URL, the other's. Prints what it met as JSON."""

import json
import sys
import time

import httpx

transcriber, other = sys.argv[1:3]
client = httpx.Client(timeout=30, trust_env=False)


def transcribe():
    """(what became of it, milliseconds of the upload, its Retry-After)"""
    started = time.perf_counter()
    files = {"file": ("audio.ogg", b"x" * 100_000, "audio/ogg")}
    response = client.post(f"{transcriber}/jobs", files=files, data={"language_in": "pt"})
    took = (time.perf_counter() - started) * 1000
    if response.status_code != 200:
        return response.status_code, took, response.headers.get("retry-after")
    job = response.json()["id"]
    for _ in range(10):
        status = client.get(f"{transcriber}/jobs/{job}").json()["status"]
        if status in ("failed", "completed"):
            return status, took, None
    return "lost", took, None


outage = []
while not outage or outage[-1][0] == "failed":
    outage.append(transcribe())
refused = [transcribe() for _ in range(20)]
others = [client.get(f"{other}/jobs/x").status_code for _ in range(5)]
client.post(f"{transcriber[: transcriber.rindex(':')]}:{sys.argv[3]}/repaired")
recovered = None
until = time.monotonic() + 20
while recovered != "completed" and time.monotonic() < until:
    time.sleep(0.05)
    recovered = transcribe()[0]
print(json.dumps({"outage": outage, "refused": refused, "others": others, "recovered": recovered}))
