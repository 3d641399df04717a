/**
 * Each call of the Redis store is one Lua script: atomic on the server, also beside writers that do not know the sidecar.
 * KEYS[1] is the record of the existing service, its JSON alone. KEYS[2] is the sidecar's hash: `revision`, `attempt`, the
 * `digest` of the record as last seen (so that a write of the service counts as a revision), and older stages as
 * `stage:<name>`. KEYS[3] and KEYS[4] are the index (see key-index.ts), where it is on the record's node. Records
 * are cut and joined as text and never re-encoded: cjson would write [] as {} and lose digits.
 */

import { createHash } from 'node:crypto'

export type Script = { readonly text: string; readonly sha: string }

/** @param text of a whole script. */
export const scriptOf = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') })

const script = (body: string): Script => scriptOf(`${ENTER}${COMMON}\n${body}`)

/** Functions for an index. Its keys live as long as the entry that lives longest. */
export const ENTER = `
local function time()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, string.format('%.0f', ms)) end
end

-- A name in both parts of its index.
local function enter(byExpiry, byName, name, ms)
  redis.call('ZADD', byExpiry, string.format('%.0f', time() + ms), name)
  redis.call('ZADD', byName, 0, name)
  keep(byExpiry, ms)
  keep(byName, ms)
end
`

const COMMON = `
local main, own = KEYS[1], KEYS[2]
local job = string.match(main, '^checkpoint:granular:(.*)$')
local current = redis.call('GET', main)
local revision, attempt, isForeign = 0, 0, false

if current then
  local known = redis.call('HMGET', own, 'revision', 'attempt', 'digest')
  revision, attempt = tonumber(known[1]) or 0, tonumber(known[2]) or 0
  isForeign = known[3] ~= redis.sha1hex(current)
  if isForeign then revision = revision + 1 end
end

-- The members of a JSON object as they are written: their keys in order, and the raw text of each value.
local function members(text)
  local keys, values = {}, {}
  local at = (string.find(text, '{', 1, true) or error('no object')) + 1
  local depth, from, key = 0, at, nil
  while true do
    local found = string.find(text, '["%[%]{}:,]', at) or error('no end')
    local mark = string.sub(text, found, found)
    at = found + 1
    if mark == '"' then
      local stop = string.find(text, '["\\\\]', at) or error('no end')
      while string.sub(text, stop, stop) ~= '"' do
        stop = string.find(text, '["\\\\]', stop + 2) or error('no end')
      end
      at = stop + 1
    elseif depth == 0 and mark == ':' then
      key = string.match(string.sub(text, from, found - 1), '"(.*)"')
      from = at
    elseif depth == 0 and (mark == ',' or mark == '}') then
      if key then
        keys[#keys + 1] = key
        values[key] = string.sub(text, from, found - 1)
      end
      if mark == '}' then return keys, values end
      key, from = nil, at
    elseif mark == '{' or mark == '[' then
      depth = depth + 1
    elseif mark == '}' or mark == ']' then
      depth = depth - 1
    end
  end
end

-- The members of a record, or nil for what is none.
local function recordOf(text)
  if not text then return nil end
  local sound, _, values = pcall(members, text)
  if not sound or not values.stage then return nil end
  values.name = string.match(values.stage, '"(.*)"')
  return values.name and values or nil
end

local function holds(ifMatch, ifNoneMatch)
  if ifMatch ~= '' and (not current or (ifMatch ~= '*' and tonumber(ifMatch) ~= revision)) then return false end
  if ifNoneMatch == '' or not current then return true end
  return ifNoneMatch ~= '*' and tonumber(ifNoneMatch) ~= revision
end

-- Whether a write may happen, as an answer that says why not.
local function refusal(ifMatch, ifNoneMatch, number)
  if not holds(ifMatch, ifNoneMatch) then return {'mismatch'} end
  if number ~= '' and tonumber(number) < attempt then return {'older_attempt', attempt} end
  return nil
end

local function write(text, stage, number, ttl)
  if KEYS[3] then enter(KEYS[3], KEYS[4], job, tonumber(ttl)) end
  local before = recordOf(current)
  if not current then redis.call('DEL', own) end
  if before and before.name ~= stage then redis.call('HSET', own, 'stage:' .. before.name, current) end
  redis.call('HDEL', own, 'stage:' .. stage)
  revision = revision + 1
  attempt = tonumber(number) or attempt
  redis.call('SET', main, text, 'PX', ttl)
  redis.call('HSET', own, 'revision', revision, 'attempt', attempt, 'digest', redis.sha1hex(text))
  redis.call('PEXPIRE', own, ttl)
  return {'saved', text, revision, attempt, current and 0 or 1}
end
`

/**
 * ARGV: stage or '', ttl in ms. Returns {text, revision, attempt, ms left (negative without an expiry)}, or nothing. What it writes for
 * a record of another program may fail: a full Redis still answers, and a later call counts the write of the program.
 */
export const LOAD = script(`
if not current then return false end
local left = redis.call('PTTL', main)
if isForeign then
  pcall(function()
    if KEYS[3] then enter(KEYS[3], KEYS[4], job, left > 0 and left or tonumber(ARGV[2])) end
    redis.call('HSET', own, 'revision', revision, 'attempt', attempt, 'digest', redis.sha1hex(current))
    if left > 0 then redis.call('PEXPIRE', own, left) else redis.call('PERSIST', own) end
  end)
end
local text, newest = current, recordOf(current)
if ARGV[1] ~= '' and not (newest and newest.name == ARGV[1]) then text = redis.call('HGET', own, 'stage:' .. ARGV[1]) end
if not text then return false end
return {text, revision, attempt, left}
`)

/** Matches the fields up to the counts as the existing service and the sidecar write them, before the item ids. */
const IN_ORDER = `
local HEAD = '^%s*{%s*"stage"%s*:%s*"([%w_]+)"%s*,%s*"progress"%s*:%s*[^,]+,%s*"completed_items"%s*:%s*(%d+)%s*,%s*"total_items"%s*:%s*(%d+)%s*,()'
`

/** ARGV: stage or ''. Returns {text without the item ids, revision, attempt, ms left}, {'unreadable'}, or nothing. */
export const SUMMARY = script(`
${IN_ORDER}
if not current then return false end
local text = current
if ARGV[1] ~= '' then
  local newest = string.match(string.sub(current, 1, 512), HEAD) or (recordOf(current) or {}).name
  if newest ~= ARGV[1] then text = redis.call('HGET', own, 'stage:' .. ARGV[1]) end
end
if not text then return false end
local left = redis.call('PTTL', main)
local _, _, _, after = string.match(string.sub(text, 1, 512), HEAD)
-- Quotes within an id are escaped, so that this cannot be found in one.
local _, from = string.find(text, '^%s*"item_ids"%s*:%s*%[', after or 1)
local _, stop = string.find(text, '%]%s*,%s*"metadata"%s*:', from or 1)
if after and from and stop then
  return {string.sub(text, 1, after - 1) .. '"metadata":' .. string.sub(text, stop + 1), revision, attempt, left}
end
local record = recordOf(text)
if not record then return {'unreadable'} end
local fields = {'"stage":' .. record.stage}
for _, name in ipairs({'progress', 'completed_items', 'total_items', 'metadata', 'timestamp'}) do
  if record[name] then fields[#fields + 1] = '"' .. name .. '":' .. record[name] end
end
return {'{' .. table.concat(fields, ',') .. '}', revision, attempt, left}
`)

/** Returns {stage, completed, total} of each stage, newest last; {} for a value that is not a checkpoint; or nothing. */
export const PROGRESS = script(`
${IN_ORDER}
if not current then return false end
local function counts(text)
  local stage, completed, total = string.match(string.sub(text, 1, 512), HEAD)
  if stage then return {stage, completed, total} end
  local record = recordOf(text)
  local number = function(value) return string.match(value or '0', '%d+') or '0' end
  return record and {record.name, number(record.completed_items), number(record.total_items)}
end
local newest = counts(current)
if not newest then return {} end
local all = {}
for _, field in ipairs(redis.call('HKEYS', own)) do
  local name = string.match(field, '^stage:(.*)$')
  local older = name and name ~= newest[1] and counts(redis.call('HGET', own, field))
  if older then all[#all + 1] = older end
end
all[#all + 1] = newest
return all
`)

/** ARGV: If-Match, If-None-Match, attempt (each '' for none), ttl in ms, stage, text. */
export const SAVE = script(`
return refusal(ARGV[1], ARGV[2], ARGV[3]) or write(ARGV[6], ARGV[5], ARGV[3], ARGV[4])
`)

/**
 * ARGV: If-Match, If-None-Match, attempt, ttl, stage, item ids as a JSON array, total ('' to keep it), metadata as a JSON
 * object ('' for none), timestamp as JSON, largest number of items.
 */
export const APPEND = script(`
local refused = refusal(ARGV[1], ARGV[2], ARGV[3])
if refused then return refused end
local newest = recordOf(current)
if current and not newest then return {'unreadable'} end
local stage = ARGV[5]
local before = newest
if newest and newest.name ~= stage then before = recordOf(redis.call('HGET', own, 'stage:' .. stage)) end
before = before or {}

local known, ids, count = {}, {}, 0
for _, id in ipairs(cjson.decode(before.item_ids or '[]')) do
  known[tostring(id)] = true
  count = count + 1
end
local inside = string.match(before.item_ids or '', '^%s*%[%s*(.-)%s*%]%s*$') or ''
if inside ~= '' then ids[1] = inside end
for _, id in ipairs(cjson.decode(ARGV[6])) do
  if not known[id] then
    known[id] = true
    count = count + 1
    ids[#ids + 1] = cjson.encode(id)
  end
end
if count > tonumber(ARGV[10]) then return {'too_many', count} end

local total = ARGV[7] ~= '' and ARGV[7] or string.match(before.total_items or '0', '%d+') or '0'
local progress = '0'
if tonumber(total) > 0 then
  for digits = 15, 17 do
    progress = string.format('%.' .. digits .. 'g', count / tonumber(total))
    if tonumber(progress) == count / tonumber(total) then break end
  end
end

local keys, about = {}, {}
for _, text in ipairs({before.metadata or '{}', ARGV[8] ~= '' and ARGV[8] or '{}'}) do
  local sound, names, values = pcall(members, text)
  for _, name in ipairs(sound and names or {}) do
    if not about[name] then keys[#keys + 1] = name end
    about[name] = values[name]
  end
end
for i, name in ipairs(keys) do keys[i] = '"' .. name .. '":' .. about[name] end

local text = table.concat({
  '{"stage":"', stage, '","progress":', progress, ',"completed_items":', count, ',"total_items":', total,
  ',"item_ids":[', table.concat(ids, ','), '],"metadata":{', table.concat(keys, ','), '},"timestamp":', ARGV[9], '}',
})
return write(text, stage, ARGV[3], ARGV[4])
`)

/** ARGV: If-Match, If-None-Match. Returns whether they held. */
export const CLEAR = script(`
if not holds(ARGV[1], ARGV[2]) then return 0 end
redis.call('DEL', main, own)
if KEYS[3] then
  redis.call('ZREM', KEYS[3], job)
  redis.call('ZREM', KEYS[4], job)
end
return 1
`)

/** A value of another type is none of ours: it counts as absent. */
const TEXT_AT = `
local function textAt(key)
  local value = redis.pcall('GET', key)
  if type(value) ~= 'table' then return value end
  if not string.find(value.err, 'WRONGTYPE', 1, true) then error(value.err) end
  return false
end
`

/** Writes a job. ARGV of every script: id and inputs as JSON, name in the index, ttl in ms, further members as JSON text. */
const JOB = `${ENTER}${TEXT_AT}
local now, known = time(), textAt(KEYS[1])
local function timeIn(name) return known and tonumber(string.match(known, '"' .. name .. '":(%d+)')) end

local function put(startedAt, deadlineAt)
  local life = tonumber(ARGV[4])
  local text = '{"id":' .. ARGV[1] .. ',"inputs":' .. ARGV[2] .. ',"startedAt":' .. string.format('%.0f', startedAt)
  if deadlineAt then
    life = math.max(life, deadlineAt - now)
    text = text .. ',"deadlineAt":' .. string.format('%.0f', deadlineAt)
  end
  text = text .. ARGV[5] .. '}'
  if KEYS[2] then enter(KEYS[2], KEYS[3], ARGV[3], life) end
  redis.call('SET', KEYS[1], text, 'PX', string.format('%.0f', life))
  return text
end
`

/**
 * KEYS: the job, and its index where that is on the same node. ARGV 6: ms from start to deadline ('' for none); 7: start ('' for now); 8: '1' to
 * change the shape of a registered job. Returns {record, time, 1 when registered just now}, or nothing when there was no job to
 * change. A job keeps the start that it was registered with, whoever registers it again.
 */
export const REGISTER = scriptOf(`${JOB}
local startedAt, isChange = timeIn('startedAt'), ARGV[8] == '1'
if startedAt and not isChange then return {known, now, 0} end
if isChange and not startedAt then return false end
local isNew = not startedAt
startedAt = startedAt or tonumber(ARGV[7]) or now
return {put(startedAt, ARGV[6] ~= '' and startedAt + tonumber(ARGV[6]) or nil), now, isNew and 1 or 0}
`)

/**
 * KEYS as for REGISTER. ARGV 6: ms from start to deadline ('' for none); 7: age in ms. Returns {record, time}. A stored job that has not
 * ended keeps its start and deadline.
 */
export const SAVE_JOB = scriptOf(`${JOB}
local startedAt = timeIn('startedAt')
-- Inputs are texts and numbers: an object of that name is the end of the job.
if startedAt and not string.find(known, '"end":{', 1, true) then return {put(startedAt, timeIn('deadlineAt')), now} end
startedAt = now - tonumber(ARGV[7])
return {put(startedAt, ARGV[6] ~= '' and startedAt + tonumber(ARGV[6]) or nil), now}
`)

/** Returns {record, time}, or nothing. */
export const FIND_JOB = scriptOf(`${ENTER}${TEXT_AT}
local known = textAt(KEYS[1])
return known and {known, time()}
`)

/** KEYS as for REGISTER. ARGV: name in the index. */
export const REMOVE_JOB = scriptOf(`
redis.call('DEL', KEYS[1])
if KEYS[2] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
end
`)
