-- retry: executing -> pending. Puts off tasks whose run failed, to run them again.
-- Parts: base keys time calls count delay held letgo
-- ARGV: now, worker, then for each task: id, claim, delay (seconds), failure (a JSON object with attempt, code and reason; ""
--       notes none).
-- Replies: one word per task: "retried" | "stale" (the worker does not hold this claim, or the task has another by now) |
--          "wrong-type" (`scheduled` of its queue is of another type; it is still held).
-- Promise: counted in `retried`, never as a loss; the last failures stay in the hash; one that somebody asked to cancel is due
--          at once, for claim to end it; safe to send again; works at maxmemory.
-- Vectors: commands/retry.json
local worker = ARGV[2]
local held = held_key(worker)

local FAILURES_KEPT = 10        -- of a task, newest last
local FAILURES_BYTES = 262144   -- of the field; a longer one is none of this script's

-- Members are written one by one: the encoder knows no order, and what a stranger put beside them ends here.
local function quoted(text) return (string.gsub(cjson.encode(text), '\\/', '/')) end
local function failure_text(failure, at)
  local attempt, members = failure.attempt, {}
  if type(attempt) == 'number' and attempt >= 0 and attempt < 1e15 then
    members[1] = '"attempt":' .. string.format('%d', attempt)
  end
  local rest = {{'at', at}, {'code', failure.code}, {'reason', failure.reason}}
  for i = 1, #rest do
    local value = rest[i][2]
    if type(value) == 'string' then members[#members + 1] = '"' .. rest[i][1] .. '":' .. quoted(value) end
  end
  return '{' .. table.concat(members, ',') .. '}'
end

local function decoded(json)
  local is_json, value = pcall(cjson.decode, json)
  return is_json and type(value) == 'table' and value or {}
end

-- The field `failures` with one more. earlier: as it stands there, which a stranger may have spoilt.
local function failures_with(earlier, failure)
  local all = earlier and #earlier <= FAILURES_BYTES and decoded(earlier) or {}
  local texts = {}
  for i = math.max(1, #all - FAILURES_KEPT + 2), #all do
    if type(all[i]) == 'table' then texts[#texts + 1] = failure_text(all[i], all[i].at) end
  end
  texts[#texts + 1] = failure_text(decoded(failure), now_text())
  return '[' .. table.concat(texts, ',') .. ']'
end

local words, backs, done = {}, {}, {}
local at = 3
while at <= #ARGV do
  local id, claim, due = ARGV[at], ARGV[at + 1], due_in(ARGV[at + 2])
  local value = redis.call('HGET', held, id)
  local claimed, queue
  if value and not done[id] then claimed, queue = parse_held(value) end
  local word = 'stale'
  if claimed == claim then
    local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'retried', 'failures', 'cancelled-created')
    local stands = standing(task, claim)
    if stands ~= 'passed' then word = fits(scheduled_key(queue), 'zset') and 'retried' or 'wrong-type' end
    if word ~= 'wrong-type' then
      done[id] = true
      backs[#backs + 1] = {id, queue, task[5] and now or due, stands, task, ARGV[at + 3]}
    end
  end
  words[#words + 1] = word
  at = at + 4
end
all_read(at)
if #backs == 0 then return words end

allow_at_maxmemory()
for i = 1, #backs do
  local id, queue, due, stands, task, failure = unpack(backs[i])
  let_go(worker, id, queue)
  if stands == 'mine' then
    write_pending(id, true)
    redis.call('HSET', task_key(id), 'retried', count(task[3] or '') + 1)
    if failure ~= '' then redis.call('HSET', task_key(id), 'failures', failures_with(task[4], failure)) end
    redis.call('HDEL', task_key(id), 'progress')
  end
  -- An id without its hash goes back too: claim knows what to do with it.
  if stands ~= 'passed' then redis.call('ZADD', scheduled_key(queue), due, id) end
end
return words
