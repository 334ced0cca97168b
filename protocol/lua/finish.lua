-- finish: executing -> finished. Writes the ends of many runs; each is fenced by its claim.
-- Parts: base time
-- ARGV: now, worker, result-ttl, failed-ttl (seconds), then for each run: id, claim, and either "successful" and its
--       result-value, or the count of fields and that many field, value pairs, `result` first.
-- Replies: one word per run: "finished" | "already" (this very end stands there: a repeated call) |
--          "stale" (the worker no longer holds this claim; nothing was written).
-- Promise: result, list, held, lifetime and message in one step; safe to send again; works at maxmemory. A hash that was
--          deleted while its task ran is written anew, with its lifetime, if the worker still holds the claim.
-- Vectors: commands/finish.json
local held = app .. 'held:' .. ARGV[2]

-- Most calls of a worker that is not busy end one run, with a result and no wish. That comes first and makes no function but
-- the clock's: somebody waits for it, and a script that runs cold pays for each. It is told as in ending.lua.
if #ARGV == 8 and ARGV[7] == 'successful' and ARGV[3] ~= 'keep' then
  local id, claim, value, key = ARGV[5], ARGV[6], ARGV[8], app .. 'task:' .. ARGV[5]
  local task = redis.pcall('HMGET', key, 'claim', 'queue', 'result-ttl', 'reply-to')
  local executing = task[1] == claim and task[2] and not task[3] and app .. task[2] .. ':executing'
  -- The first write may not grow memory, so it lets the rest go on at maxmemory.
  if executing and redis.pcall('LREM', executing, -1, id) == 1 then
    if redis.call('HDEL', held, id) == 1 then
      local reply_to = task[4]
      redis.call('HSET', key, 'state', 'finished', 'finished-created', now_text(), 'result', 'successful', 'result-value', value)
      redis.call('PEXPIRE', key, string.format('%d', ARGV[3] * 1000))
      redis.pcall('PUBLISH', app .. 'results', key)
      if reply_to and #reply_to < 256 and string.sub(reply_to, 1, #app) == app then
        local is_told = #value <= 4096 and not string.find(value, '\n', 1, true)
        redis.pcall('PUBLISH', reply_to, key .. '\n' .. (is_told and value or ''))
      end
      return {'finished'}
    end
    redis.call('RPUSH', executing, id)   -- it is not held: look closer
  end
end

-- Parts: keys numbers calls held ending
local kept = {ARGV[3], tonumber(ARGV[4])}

local ids, from, to = {}, {}, {}
local at, n = 5, 0
while at <= #ARGV do
  n = n + 1
  ids[n], from[n] = ARGV[at], at + 3
  to[n] = ARGV[at + 2] == 'successful' and at + 3 or at + 2 + 2 * ARGV[at + 2]
  at = to[n] + 1
end
all_read(at)
if n == 0 then return {} end

-- What becomes of the hash: field, value, ...
local function fields_of(i)
  if ARGV[from[i] - 1] == 'successful' then return 'result', 'successful', 'result-value', ARGV[from[i]] end
  return unpack(ARGV, from[i], to[i])
end

-- The queue of a task that is held by this claim. Most of a call are of one queue, so what they end with is known.
local tail, queue_of_tail = false, nil
local function queue_held(hold, claim)
  if tail and hold == claim .. tail then return queue_of_tail end
  local claimed, queue = parse_held(hold)
  if claimed ~= claim then return nil end
  tail, queue_of_tail = ' ' .. queue, queue
  return queue
end

local holds = redis.call('HMGET', held, unpack(ids))
local words, tasks, done, gone = {}, {}, {}, {}   -- done: id -> queue; tasks: as read, where something is to be written
for i = 1, n do
  local id, claim = ids[i], ARGV[from[i] - 2]
  local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'result-ttl', 'reply-to')
  local queue = holds[i] and not done[id] and queue_held(holds[i], claim)
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
    local queue, claim = done[id], ARGV[from[i] - 2]
    local stands = task[1] == claim and 'mine' or standing(task, claim)
    if not unlisted[id] then redis.pcall('LREM', executing_key(queue), -1, id) end
    if stands == 'mine' or stands == 'gone' then
      settle(id, queue, task[3], task[4], kept, fields_of(i))
    else
      words[i] = 'stale'
      if stands == 'spoilt' then quarantine(queue, id) end
    end
  end
end
return words
