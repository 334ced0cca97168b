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
local stem, results = app .. 'task:', app .. 'results'
local function succeed(key, value, reply_to)
  redis.call('HSET', key, 'state', 'finished', 'finished-created', now_text(), 'result', 'successful', 'result-value', value)
  redis.call('PEXPIRE', key, lifetime)
  redis.pcall('PUBLISH', results, key)
  if reply_to and #reply_to < 256 and string.sub(reply_to, 1, #app) == app then
    local is_told = #value <= 4096 and not string.find(value, '\n', 1, true)
    redis.pcall('PUBLISH', reply_to, key .. '\n' .. (is_told and value or ''))
  end
end

-- Most calls of a worker that is not busy end one run, with a result and no wish. That comes first and makes hardly any
-- function: somebody waits for it, and a script that runs cold pays for each.
local are_values = ARGV[5] == 'values'
if #ARGV == 8 and are_values and lifetime then
  local id, claim, key = ARGV[6], ARGV[7], stem .. ARGV[6]
  local task = redis.pcall('HMGET', key, 'claim', 'state', 'queue', 'result-ttl', 'reply-to')
  if task[1] == claim and task[2] == 'executing' and task[3] and not task[4] and string.find(claim, own, 1, true) == 1 then
    redis.call('HDEL', held, id)  -- the first write, so it lets the rest go on at maxmemory
    redis.pcall('LREM', app .. task[3] .. ':executing', -1, id)
    succeed(key, ARGV[8], task[5])
    return {'finished'}
  end
end

-- A worker that is busy ends many at once, most times all of one queue, in the order in which they were claimed, and none
-- with a wish. Redis bounds it then, so these are done in one go. Nothing is written before all are known to be so.
local usual = #ARGV > 8 and are_values and lifetime and #ARGV % 3 == 2 and (#ARGV - 5) / 3 or 0
local queue = usual > 0 and redis.pcall('HGET', stem .. ARGV[6], 'queue')
local executing = type(queue) == 'string' and app .. queue .. ':executing'
local entries = executing and redis.pcall('LRANGE', executing, -usual, -1) or {}
for n = 1, usual do
  if entries[usual + 1 - n] ~= ARGV[3 * n + 3] then usual = 0 end
end
local keys, tasks, gone = {}, {}, {}
for n = 1, usual do
  local id, claim = ARGV[3 * n + 3], ARGV[3 * n + 4]
  local key = stem .. id
  local task = redis.pcall('HMGET', key, 'claim', 'state', 'queue', 'result-ttl', 'reply-to')
  if task[1] ~= claim or task[2] ~= 'executing' or task[3] ~= queue or task[4] or string.find(claim, own, 1, true) ~= 1 then
    usual = 0
    break
  end
  keys[n], tasks[n], gone[n] = key, task, id
end
-- What is named twice goes the other way too.
if usual > 0 and redis.call('HDEL', held, unpack(gone)) == usual then
  redis.call('LTRIM', executing, 0, -usual - 1)
  local words = {}
  for n = 1, usual do
    succeed(keys[n], ARGV[3 * n + 5], tasks[n][5])
    words[n] = 'finished'
  end
  return words
end

-- Parts: keys numbers calls held ending
local kept = {ARGV[3], tonumber(ARGV[4])}

-- Where each run begins among the arguments.
local starts, at, n = {}, 6, 0
while at <= #ARGV do
  n = n + 1
  starts[n] = at
  at = at + (are_values and 3 or 3 + 2 * ARGV[at + 2])
end
all_read(at)

-- What becomes of the hash: field, value, ...
local function fields_of(i)
  local from = starts[i] + 3
  if are_values then return 'result', 'successful', 'result-value', ARGV[from - 1] end
  return unpack(ARGV, from, from - 1 + 2 * ARGV[from - 1])
end

-- The queue from which the worker holds this run, or nothing. Most hashes say so; of one that is gone or has been changed,
-- or was claimed under another name, `held` knows.
local function queue_held(task, id, claim)
  if task[1] == claim and task[2] == 'executing' and task[3] and string.find(claim, own, 1, true) == 1 then return task[3] end
  local hold = redis.call('HGET', held, id)
  local claimed, queue = parse_held(hold or '')
  return claimed == claim and queue
end

local words, gone = {}, {}
local tasks = {}    -- as read, where something is to be written; the queue from which each is held, in place of what it says
local listed = {}   -- id -> the queue in whose executing list it stands
for i = 1, n do
  local id, claim = ARGV[starts[i]], ARGV[starts[i] + 1]
  local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'queue', 'result-ttl', 'reply-to')
  local queue = not listed[id] and queue_held(task, id, claim)
  if queue then
    task[3], listed[id], tasks[i] = queue, queue, task
    gone[#gone + 1] = id
    words[i] = 'finished'
  else
    words[i] = (task[1] == claim and task[2] == 'finished') and 'already' or 'stale'
  end
end
if #gone == 0 then return words end

redis.call('HDEL', held, unpack(gone))

-- Runs end about in the order in which they were claimed, so most of their entries stand at the right end of the list: all
-- of these go by one call, where each alone costs one.
if #gone > 1 then
  local queue, together = listed[gone[1]], 0
  local entries = redis.pcall('LRANGE', executing_key(queue), -#gone, -1)
  for k = #entries, 1, -1 do
    if listed[entries[k]] ~= queue then break end
    listed[entries[k]] = nil
    together = together + 1
  end
  if together > 0 then redis.call('LTRIM', executing_key(queue), 0, -together - 1) end
end

for i = 1, n do
  local id, claim, task = ARGV[starts[i]], ARGV[starts[i] + 1], tasks[i]
  if task then
    local stands = task[1] == claim and 'mine' or standing(task, claim)
    if listed[id] then redis.pcall('LREM', executing_key(task[3]), -1, id) end
    if stands == 'mine' and are_values and lifetime and not task[4] then
      succeed(task_key(id), ARGV[starts[i] + 2], task[5])
    elseif stands == 'mine' or stands == 'gone' then
      settle(id, task[3], task[4], task[5], kept, fields_of(i))
    else
      words[i] = 'stale'
      if stands == 'spoilt' then quarantine(task[3], id) end
    end
  end
end
return words
