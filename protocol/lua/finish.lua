-- finish: executing -> finished. Writes the ends of many runs; each is fenced by its claim.
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

local runs, ids = {}, {}
local at = 5
while at <= #ARGV do
  local fields = tonumber(ARGV[at + 2])
  runs[#runs + 1] = {ARGV[at], ARGV[at + 1], at + 3, at + 2 + 2 * fields}
  ids[#ids + 1] = ARGV[at]
  at = at + 3 + 2 * fields
end
all_read(at)
if #runs == 0 then return {} end

local holds = redis.call('HMGET', held, unpack(ids))
local words, ends, done = {}, {}, {}
for i = 1, #runs do
  local id, claim = runs[i][1], runs[i][2]
  local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'result-ttl', 'reply-to')
  local claimed, queue
  if holds[i] and not done[id] then claimed, queue = parse_held(holds[i]) end
  if claimed == claim then
    local stands = standing(task, claim)
    done[id] = true
    ends[#ends + 1] = {id, queue, stands, runs[i], task[3], task[4]}
    words[i] = (stands == 'mine' or stands == 'gone') and 'finished' or 'stale'
  else
    words[i] = (task[1] == claim and task[2] == 'finished') and 'already' or 'stale'
  end
end
if #ends == 0 then return words end

allow_at_maxmemory()
for i = 1, #ends do
  local id, queue, stands, run, ttl, reply_to = unpack(ends[i], 1, 6)
  let_go(worker, id, queue)
  if stands == 'mine' or stands == 'gone' then
    settle(id, queue, {unpack(ARGV, run[3], run[4])}, ttl, reply_to, kept)
  elseif stands == 'spoilt' then
    quarantine(queue, id)
  end
end
announce()
return words
