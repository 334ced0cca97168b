-- finish: executing -> finished. Writes the ends of many runs; each is fenced by its claim.
-- Parts: base time
-- ARGV: now, worker, result-ttl, failed-ttl (seconds), then "values" and for each run, all of which succeeded: id, claim,
--       result-value. Or "fields" and for each run: id, claim, count of fields, then that many field, value pairs, `result`
--       first.
-- Replies: one word per run: "finished" | "already" (this very end stands there: a repeated call) |
--          "stale" (the worker no longer holds this claim; nothing was written).
-- Promise: result, list, held, lifetime and message in one step; safe to send again; works at maxmemory. A hash that was
--          deleted while its task ran is written anew, with its lifetime, if the worker still holds the claim.
-- Vectors: commands/finish.json
local held, own = app .. 'held:' .. ARGV[2], ARGV[2] .. '/'

-- The end of a run that succeeded, of a task without a lifetime of its own; told as in ending.lua.
local lifetime = ARGV[3] ~= 'keep' and string.format('%d', ARGV[3] * 1000)
local function succeed(key, value, reply_to)
  redis.call('HSET', key, 'state', 'finished', 'finished-created', now_text(), 'result', 'successful', 'result-value', value)
  redis.call('PEXPIRE', key, lifetime)
  redis.pcall('PUBLISH', app .. 'results', key)
  if reply_to and #reply_to < 256 and string.sub(reply_to, 1, #app) == app then
    local is_told = #value <= 4096 and not string.find(value, '\n', 1, true)
    redis.pcall('PUBLISH', reply_to, key .. '\n' .. (is_told and value or ''))
  end
end

-- Most calls of a worker that is not busy end one run, with a result and no wish. That comes first and makes hardly any
-- function: somebody waits for it, and a script that runs cold pays for each.
if #ARGV == 8 and ARGV[5] == 'values' and lifetime then
  local id, claim, key = ARGV[6], ARGV[7], app .. 'task:' .. ARGV[6]
  local task = redis.pcall('HMGET', key, 'claim', 'state', 'queue', 'result-ttl', 'reply-to')
  if task[1] == claim and task[2] == 'executing' and task[3] and not task[4] and string.sub(claim, 1, #own) == own then
    redis.call('HDEL', held, id)  -- the first write, so it lets the rest go on at maxmemory
    redis.pcall('LREM', app .. task[3] .. ':executing', -1, id)
    succeed(key, ARGV[8], task[5])
    return {'finished'}
  end
end

-- Parts: keys numbers calls held ending
local kept = {ARGV[3], tonumber(ARGV[4])}
local are_values = ARGV[5] == 'values'

local ids, claims, from, to = {}, {}, {}, {}
local at, n = 6, 0
while at <= #ARGV do
  n = n + 1
  ids[n], claims[n] = ARGV[at], ARGV[at + 1]
  if are_values then from[n], to[n] = at + 2, at + 2 else from[n], to[n] = at + 3, at + 2 + 2 * ARGV[at + 2] end
  at = to[n] + 1
end
all_read(at)
if n == 0 then return {} end

-- What becomes of the hash: field, value, ...
local function fields_of(i)
  if are_values then return 'result', 'successful', 'result-value', ARGV[from[i]] end
  return unpack(ARGV, from[i], to[i])
end

-- The queue from which the worker holds this run, or nothing. Most hashes say so; of one that is gone or has been changed,
-- or was claimed under another name, `held` knows.
local function queue_held(task, id, claim)
  if task[1] == claim and task[2] == 'executing' and task[3] and string.sub(claim, 1, #own) == own then return task[3] end
  local hold = redis.call('HGET', held, id)
  local claimed, queue = parse_held(hold or '')
  return claimed == claim and queue
end

local words, tasks, done, gone = {}, {}, {}, {}   -- done: id -> queue; tasks: as read, where something is to be written
for i = 1, n do
  local id, claim = ids[i], claims[i]
  local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'queue', 'result-ttl', 'reply-to')
  local queue = not done[id] and queue_held(task, id, claim)
  if queue then
    done[id] = queue
    gone[#gone + 1] = id
    tasks[i] = task
    words[i] = 'finished'
  else
    words[i] = (task[1] == claim and task[2] == 'finished') and 'already' or 'stale'
  end
end
if #gone == 0 then return words end

redis.call('HDEL', held, unpack(gone))  -- the first write, so it lets the rest go on at maxmemory

-- Runs end about in the order in which they were claimed, so most of their entries stand at the right end of the list: all
-- of these go by one call, where each alone costs one.
local unlisted = {}
if #gone > 1 then
  local queue, together = done[gone[1]], 0
  local entries = redis.pcall('LRANGE', executing_key(queue), -#gone, -1)
  for k = #entries, 1, -1 do
    if done[entries[k]] ~= queue or unlisted[entries[k]] then break end
    unlisted[entries[k]] = true
    together = together + 1
  end
  if together > 0 then redis.call('LTRIM', executing_key(queue), 0, -together - 1) end
end

for i = 1, n do
  local id, task = ids[i], tasks[i]
  if task then
    local queue, claim = done[id], claims[i]
    local stands = task[1] == claim and 'mine' or standing(task, claim)
    if not unlisted[id] then redis.pcall('LREM', executing_key(queue), -1, id) end
    if stands == 'mine' and are_values and lifetime and not task[4] then
      succeed(task_key(id), ARGV[from[i]], task[5])
    elseif stands == 'mine' or stands == 'gone' then
      settle(id, queue, task[4], task[5], kept, fields_of(i))
    else
      words[i] = 'stale'
      if stands == 'spoilt' then quarantine(queue, id) end
    end
  end
end
return words
