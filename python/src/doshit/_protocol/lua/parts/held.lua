-- held.lua: who holds a task, and letting it go.
-- {claim, queue} of a value of held:{worker}.
local function parse_held(value) return string.match(value, '^(%S+) (.+)$') end

-- Is this task held by a worker that recover has not sealed?
local function held_by_live(worker, id)
  if not worker then return false end
  local lease = redis.call('ZSCORE', workers_key, worker)
  if not lease or tonumber(lease) < 0 then return false end
  return redis.pcall('HEXISTS', held_key(worker), id) == 1
end

-- What the hash of a held task says of the claim that holds it. task: reply to HMGET claim, state...
-- "mine" | "gone" (deleted) | "spoilt" (its key is no hash) | "passed" (claimed again, or deleted and submitted anew).
local function standing(task, claim)
  if is_error(task) then return 'spoilt' end
  if not task[1] and not task[2] then return 'gone' end
  if task[1] == claim or (not task[1] and task[2] ~= 'pending') then return 'mine' end
  return 'passed'
end

local function let_go(worker, id, queue)
  redis.call('HDEL', held_key(worker), id)
  redis.pcall('LREM', executing_key(queue), -1, id)
end

-- The hash of a task that runs no longer and is not over. Its claim goes: nobody may end it by that.
local function write_pending(id, begun)
  redis.call('HSET', task_key(id), 'state', 'pending')
  redis.call('HDEL', task_key(id), 'claim')
  if not begun then redis.pcall('HINCRBY', task_key(id), 'attempts', -1) end
end
