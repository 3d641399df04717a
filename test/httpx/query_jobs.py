"""make-video's newest calls over httpx with its options: a job is created, polled and fetched at each service; told as JSON."""

import asyncio
import hashlib
import json
import sys

import httpx

MAX_POLLS = 10


def ended(report):
    """Jobs have a status, images a stage; each has its own name for the error."""
    if "job_stage" in report:
        stage = report["job_stage"]
        return {"SUCCESS": True, "ERROR": False}.get(stage), report.get("job_status")
    return {"completed": True, "failed": False}.get(report["status"]), report.get("error_message") or report.get("error")


async def follow(client, service):
    base = service["url"]
    response = await client.post(base + service["create"], json={"text": "x"})
    response.raise_for_status()
    for _ in range(MAX_POLLS):
        response = await client.get(base + service["poll"])
        response.raise_for_status()
        success, error = ended(response.json())
        if success is False:
            return f"failed: {error}"
        if success:
            break
        await asyncio.sleep(0.01)
    else:
        return "never finished"
    if service["file"] is None:
        return "completed"
    response = await client.get(base + service["file"])
    response.raise_for_status()
    return "completed " + hashlib.sha256(response.content).hexdigest()


async def told(client, service):
    try:
        return await follow(client, service)
    except httpx.HTTPError as error:
        return f"error: {type(error).__name__}"


async def main():
    transport = httpx.AsyncHTTPTransport(retries=3, verify=False)
    async with httpx.AsyncClient(timeout=30.0, transport=transport) as client:
        return [await told(client, service) for service in json.load(sys.stdin)]


json.dump(asyncio.run(main()), sys.stdout)
