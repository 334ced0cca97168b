-- submit: nothing -> pending. Puts tasks into one queue: hash and list together or not at all.
-- Parts: base time
-- ARGV: now, queue, then for each task: id, function, args, delay (seconds; "": none; "front": it is the next one), count of
--       extra fields, then that many field, value pairs.
-- Replies: one word per task: "created" | "exists" (the same task is there already; nothing was written) |
--          "conflict" (the id is taken by another function or other args) | "wrong-type" (its key is no hash).
-- Promise: the id is the idempotency key as long as its hash lives, so this may be sent twice; a half-made hash (an HSET
--          whose LPUSH never came) is completed. Refused whole at maxmemory.
-- Vectors: commands/submit.json
local queue = ARGV[2]

-- Most calls bring one new task, for at once. That comes first and makes no function but the clock's, for a script that runs
-- cold pays for each: an idle system is as quick as this.
if ARGV[6] == '' and #ARGV == 7 + 2 * ARGV[7] and redis.call('EXISTS', app .. 'task:' .. ARGV[3]) == 0 then
  redis.call('LPUSH', app .. queue .. ':pending', ARGV[3])
  redis.call('HSET', app .. 'task:' .. ARGV[3], 'function', ARGV[4], 'state', 'pending', 'args', ARGV[5],
    'pending-created', now_text(), 'queue', queue, unpack(ARGV, 8))
  redis.pcall('SADD', app .. 'queues', queue)
  return {'created'}
end

-- Parts: keys calls delay
local words, fresh, seen, due = {}, {}, {}, {}  -- seen: id -> where its task stands in ARGV; due: the same -> ms
local ids, first_ids, some_later = {}, {}, false
local half_made = {}   -- where its task stands in ARGV -> was there a hash before?

local function same(there, wanted) return not there or there == wanted end

local function compare(key, fn, args)
  local there = redis.pcall('HMGET', key, 'queue', 'state', 'function', 'args')
  if is_error(there) then
    if not string.find(there.err, 'WRONGTYPE', 1, true) then error(there.err, 0) end  -- not this user's key, or not this node's
    return 'wrong-type'
  end
  if not same(there[3], fn) or not same(there[4], args) then return 'conflict' end
  local taken = there[1] or there[2] == 'executing' or there[2] == 'finished'
  return taken and 'exists' or 'created'
end

local function judge(at)
  local id, fn, args = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local earlier = seen[id]
  if earlier then return ARGV[earlier + 1] == fn and ARGV[earlier + 2] == args and 'exists' or 'conflict' end
  local key = task_key(id)
  -- Most are new, and this says so at half the price of their fields.
  local is_new = redis.pcall('EXISTS', key) == 0
  local word = is_new and 'created' or compare(key, fn, args)
  if word == 'created' then seen[id], half_made[at] = at, not is_new end
  return word
end

-- at: where a task stands in ARGV.
local function write_task(at)
  redis.call('HSET', task_key(ARGV[at]), 'function', ARGV[at + 1], 'state', 'pending', 'args', ARGV[at + 2],
    'pending-created', now_text(), 'queue', queue, unpack(ARGV, at + 5, at + 4 + 2 * ARGV[at + 4]))
end

local function place(at)
  local id, delay = ARGV[at], ARGV[at + 3]
  fresh[#fresh + 1] = at
  if delay == '' then
    ids[#ids + 1] = id
  elseif delay == 'front' then
    table.insert(first_ids, 1, id)
  else
    due[at] = due_in(delay)
    some_later = true
  end
end

local at = 3
while at <= #ARGV do
  local word = judge(at)
  words[#words + 1] = word
  if word == 'created' then place(at) end
  at = at + 5 + 2 * ARGV[at + 4]
end
all_read(at)
if #fresh == 0 then return words end

-- Lua has no roll-back: the first write to a key is refused before anything is written, or its type is looked at.
if some_later then redis.call('ZCARD', scheduled_key(queue)) end
local function push(command, list)
  for first = 1, #list, 1000 do
    redis.call(command, pending_key(queue), unpack(list, first, math.min(first + 999, #list)))
  end
end
push('LPUSH', ids)
push('RPUSH', first_ids)
for i = 1, #fresh do
  local at = fresh[i]
  write_task(at)
  -- claim does not ask what submit wrote for its lifetime, and whoever wrote the first half may have given it one.
  if half_made[at] then redis.call('PERSIST', task_key(ARGV[at])) end
  if due[at] then redis.call('ZADD', scheduled_key(queue), due[at], ARGV[at]) end
end
redis.pcall('SADD', queues_key, queue)  -- a list for those who look; no task depends on it
return words
