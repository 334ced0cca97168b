-- submit: nothing -> pending. Puts tasks into one queue: hash and list together or not at all.
-- Parts: base time calls delay
-- ARGV: now, queue, then for each task: id, function, args, delay (seconds; "": none; "front": it is the next one), count of
--       extra fields, then that many field, value pairs.
-- Replies: one word per task: "created" | "exists" (the same task is there already; nothing was written) |
--          "conflict" (the id is taken by another function or other args) | "wrong-type" (its key is no hash).
-- Promise: the id is the idempotency key as long as its hash lives, so this may be sent twice; a half-made hash (an HSET
--          whose LPUSH never came) is completed. Refused whole at maxmemory.
-- Vectors: commands/submit.json
local queue = ARGV[2]
local words, fresh, seen = {}, {}, {}
local some_now, some_later = false, false

local function same(there, wanted) return not there or there == wanted end

local function judge(id, fn, args)
  local earlier = seen[id]
  if earlier then return earlier[1] == fn and earlier[2] == args and 'exists' or 'conflict' end
  local there = redis.pcall('HMGET', task_key(id), 'queue', 'state', 'function', 'args')
  if is_error(there) then
    if not string.find(there.err, 'WRONGTYPE', 1, true) then error(there.err, 0) end  -- not this user's key, or not this node's
    return 'wrong-type'
  end
  local taken = there[1] or there[2] == 'executing' or there[2] == 'finished'
  if not same(there[3], fn) or not same(there[4], args) then return 'conflict' end
  if taken then return 'exists' end
  seen[id] = {fn, args}
  return 'created'
end

local at = 3
while at <= #ARGV do
  local id, fn, args, delay, extras = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4])
  local word = judge(id, fn, args)
  words[#words + 1] = word
  if word == 'created' then
    local due = delay ~= '' and delay ~= 'front' and due_in(delay)
    fresh[#fresh + 1] = {id, fn, args, due, at + 5, at + 4 + 2 * extras, delay == 'front'}
    if due then some_later = true else some_now = true end
  end
  at = at + 5 + 2 * extras
end
all_read(at)
if #fresh == 0 then return words end

-- What will be written to is looked at before the first write: Lua has no roll-back.
if some_now then redis.call('LLEN', pending_key(queue)) end
if some_later then redis.call('ZCARD', scheduled_key(queue)) end
local created = now_text()
local ids, first_ids = {}, {}
for i = 1, #fresh do
  local task = fresh[i]
  redis.call('HSET', task_key(task[1]), 'function', task[2], 'state', 'pending', 'args', task[3],
    'pending-created', created, 'queue', queue, unpack(ARGV, task[5], task[6]))
  if task[4] then
    redis.call('ZADD', scheduled_key(queue), task[4], task[1])
  else
    if task[7] then table.insert(first_ids, 1, task[1]) else ids[#ids + 1] = task[1] end
  end
end
redis.pcall('SADD', queues_key, queue)  -- a list for those who look; no task depends on it
local function push(command, list)
  for first = 1, #list, 1000 do
    redis.call(command, pending_key(queue), unpack(list, first, math.min(first + 999, #list)))
  end
end
push('LPUSH', ids)
push('RPUSH', first_ids)
return words
