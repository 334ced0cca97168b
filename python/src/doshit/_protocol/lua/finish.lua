-- finish: executing -> finished. Writes the ends of many runs; each is fenced by its claim.
-- Parts: base time numbers calls held ending
-- ARGV: now, worker, result-ttl, failed-ttl (seconds), then for each run: id, claim, count of fields,
--       then that many field, value pairs, `result` first.
-- Replies: one word per run: "finished" | "already" (this very end stands there: a repeated call) |
--          "stale" (the worker no longer holds this claim; nothing was written).
-- Promise: result, list, held, lifetime and message in one step; safe to send again; works at maxmemory. A hash that was
--          deleted while its task ran is written anew, with its lifetime, if the worker still holds the claim.
-- Vectors: commands/finish.json
local worker = ARGV[2]
local kept = {ARGV[3], tonumber(ARGV[4])}
local held = held_key(worker)

local ids, from, to = {}, {}, {}
local at = 5
while at <= #ARGV do
  local n, fields = #ids + 1, tonumber(ARGV[at + 2])
  ids[n], from[n], to[n] = ARGV[at], at + 3, at + 2 + 2 * fields
  at = to[n] + 1
end
all_read(at)
if #ids == 0 then return {} end

local holds = redis.call('HMGET', held, unpack(ids))
local words, ends, done, gone = {}, {}, {}, {}
for i = 1, #ids do
  local id, claim = ids[i], ARGV[from[i] - 2]
  local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'result-ttl', 'reply-to')
  local claimed, queue
  if holds[i] and not done[id] then claimed, queue = parse_held(holds[i]) end
  if claimed == claim then
    local stands = standing(task, claim)
    done[id] = queue
    gone[#gone + 1] = id
    ends[#ends + 1] = {i, queue, stands, task[3], task[4]}
    words[i] = (stands == 'mine' or stands == 'gone') and 'finished' or 'stale'
  else
    words[i] = (task[1] == claim and task[2] == 'finished') and 'already' or 'stale'
  end
end
if #ends == 0 then return words end

redis.call('HDEL', held, unpack(gone))  -- the first write, so it lets the rest go on at maxmemory

-- Runs end about in the order in which they were claimed, so most of their entries stand at the right end of the list: all
-- of these go by one call, where each alone costs one.
local unlisted = {}
if #ends > 1 then
  local queue, together = ends[1][2], 0
  local tail = redis.pcall('LRANGE', executing_key(queue), -#ends, -1)
  for k = #tail, 1, -1 do
    if done[tail[k]] ~= queue or unlisted[tail[k]] then break end
    unlisted[tail[k]] = true
    together = together + 1
  end
  if together > 0 then redis.call('LTRIM', executing_key(queue), 0, -together - 1) end
end

for n = 1, #ends do
  local i, queue, stands, ttl, reply_to = unpack(ends[n], 1, 5)
  if not unlisted[ids[i]] then redis.pcall('LREM', executing_key(queue), -1, ids[i]) end
  if stands == 'mine' or stands == 'gone' then
    settle(ids[i], queue, ttl, reply_to, kept, unpack(ARGV, from[i], to[i]))
  elseif stands == 'spoilt' then
    quarantine(queue, ids[i])
  end
end
announce()
return words
