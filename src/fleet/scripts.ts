/**
 * What a fleet keeps in Redis, each step one Lua script: atomic, and by the time of the server alone. All keys of a script have one
 * hash tag, so that a Cluster keeps them together. Times are ms with three digits after the point.
 */

import { createHash } from 'node:crypto'
import type { Script } from '../checkpoint/redis/scripts.ts'

const scriptOf = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') })

const NOW = `
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + tonumber(clock[2]) / 1000
local function written(number) return string.format('%.3f', number) end
`

/**
 * A sidecar is there. KEYS: members by the end of their lease, their hosts. ARGV: id, ms of the lease, host;
 * 0 ms to leave. @returns the number of members.
 */
export const BEAT: Script = scriptOf(`${NOW}
local members, hosts = KEYS[1], KEYS[2]
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', members, '-inf', written(now))) do
  redis.call('ZREM', members, gone)
  redis.call('HDEL', hosts, gone)
end
if tonumber(ARGV[2]) > 0 then
  redis.call('ZADD', members, written(now + tonumber(ARGV[2])), ARGV[1])
  redis.call('HSET', hosts, ARGV[1], ARGV[3])
else
  redis.call('ZREM', members, ARGV[1])
  redis.call('HDEL', hosts, ARGV[1])
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, 60000) end
return redis.call('ZCARD', members)
`)

/**
 * Turns under a rate: an exact window and a pacer within it, as in src/policy/rate/window.ts. A turn counts as used at the end of
 * its lease until its use is reported. KEYS: the window (turns by their time), the pacer. ARGV: requests, per, burst, want, ahead,
 * margin, settle, id of the sidecar, epoch that it knows, a new epoch, count of used, [id, age]…, ids returned….
 * @returns epoch, whether it was lost, next turn in ms from now, [id, ms from now]….
 */
export const TURNS: Script = scriptOf(`${NOW}
local window, pacer = KEYS[1], KEYS[2]
local requests, per, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local want, ahead, margin, settle = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local pod, known, fresh = ARGV[8], ARGV[9], ARGV[10]

local state = redis.call('HMGET', pacer, 'epoch', 'from', 'calls', 'quietSince', 'settledAt', 'seq')
local epoch, from, calls = state[1], tonumber(state[2]) or 0, tonumber(state[3]) or 0
local quietSince, settledAt, seq = tonumber(state[4]), tonumber(state[5]) or 0, tonumber(state[6]) or 0
local isLost = 0
if not epoch then
  epoch, quietSince = fresh, now
  -- Who knew an earlier window has calls to report, and so have others.
  if known ~= '' then settledAt = now + settle end
  redis.call('HSET', pacer, 'epoch', epoch, 'settledAt', written(settledAt))
end
if known ~= '' and known ~= epoch then isLost = 1 end

local at = 12
for i = 1, tonumber(ARGV[11]) do
  redis.call('ZADD', window, written(now - tonumber(ARGV[at + 1])), pod .. ':' .. ARGV[at])
  at = at + 2
end
for i = at, #ARGV do redis.call('ZREM', window, pod .. ':' .. ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', window, '-inf', written(now - per - margin))

-- Until a whole window has passed without a call there is no burst: calls before it may have been forgotten.
if quietSince and now - quietSince >= per then quietSince = nil end
local interval = per / requests
local turns, nextAt = {}, now
for i = 1, want do
  local turn = math.max(now, settledAt)
  local count = redis.call('ZCARD', window)
  if count >= requests then
    local oldest = redis.call('ZRANGE', window, count - requests, count - requests, 'WITHSCORES')
    turn = math.max(turn, tonumber(oldest[2]) + per + margin)
  end
  local atOnce = quietSince and 1 or burst
  turn = math.max(turn, from + (calls - (atOnce - 1)) * interval)
  nextAt = turn
  if turn > now + ahead then break end
  if from + calls * interval <= turn then
    from, calls = turn, 1
  else
    calls = calls + 1
  end
  if quietSince then quietSince = turn end
  seq = seq + 1
  redis.call('ZADD', window, written(turn + ahead), pod .. ':' .. seq)
  turns[#turns + 1] = tostring(seq)
  turns[#turns + 1] = written(turn - now)
end
redis.call('HSET', pacer, 'from', written(from), 'calls', calls, 'seq', seq)
if quietSince then redis.call('HSET', pacer, 'quietSince', written(quietSince)) else redis.call('HDEL', pacer, 'quietSince') end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, math.ceil(2 * per + 3600000)) end
return { epoch, isLost, written(nextAt - now), turns }
`)

/**
 * Permits of a limit, held by sidecars until their lease ends. A sidecar always says how many it holds, so that a lost answer
 * costs nothing. Those that wait are served in the order in which they began to. KEYS: holders by the end of their lease, permits
 * by holder, sidecars that wait by the time since when, state. ARGV: id, limit, have, want, ms of the lease, channel, news that one is wanted, news
 * that one is free, gap after which holders get a grace. @returns granted, whether others wait.
 */
export const PERMITS: Script = scriptOf(`${NOW}
local holders, permits, waiting, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local pod, limit, have, want, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local channel, gap = ARGV[6], tonumber(ARGV[9])

-- After a time in which nobody could reach the server, holders get as long again to say that they are still there.
local last = tonumber(redis.call('GET', state))
if last and now - last > gap then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', holders, written(last), '+inf')) do
    redis.call('ZADD', holders, 'GT', written(now + gap), other)
  end
end
redis.call('SET', state, written(now))
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', holders, '-inf', written(now))) do
  redis.call('ZREM', holders, gone)
  redis.call('HDEL', permits, gone)
  redis.call('ZREM', waiting, gone)
end

local before = tonumber(redis.call('HGET', permits, pod)) or 0
local total = have
for _, other in ipairs(redis.call('HKEYS', permits)) do
  if other ~= pod then total = total + tonumber(redis.call('HGET', permits, other)) end
end
local granted = 0
if want > 0 then
  if not redis.call('ZSCORE', waiting, pod) then
    redis.call('ZADD', waiting, written(now), pod)
  end
  local ahead = redis.call('ZRANK', waiting, pod)
  granted = math.max(0, math.min(want, limit - total - ahead))
  if granted < want then
    redis.call('PUBLISH', channel, ARGV[7])
  end
end
if granted > 0 or want == 0 then redis.call('ZREM', waiting, pod) end
if have + granted > 0 or want > 0 then
  redis.call('HSET', permits, pod, have + granted)
  redis.call('ZADD', holders, written(now + lease), pod)
else
  redis.call('HDEL', permits, pod)
  redis.call('ZREM', holders, pod)
end
local others = redis.call('ZCARD', waiting)
if have < before and others > 0 then redis.call('PUBLISH', channel, ARGV[8]) end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, 3600000) end
return { granted, others > (redis.call('ZSCORE', waiting, pod) and 1 or 0) and 1 or 0 }
`)

/** The lease to probe. KEYS: the lease. ARGV: id, ms; 0 ms to end it. @returns ms for which another holds it. */
export const PROBE: Script = scriptOf(`
local holder, ms = redis.call('GET', KEYS[1]), tonumber(ARGV[2])
if holder and holder ~= ARGV[1] then return redis.call('PTTL', KEYS[1]) end
if ms > 0 then redis.call('SET', KEYS[1], ARGV[1], 'PX', ms) elseif holder then redis.call('DEL', KEYS[1]) end
return 0
`)
