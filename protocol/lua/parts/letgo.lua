-- letgo.lua: whether a task is held, and taking it out of its worker's hands. Uses held.
-- Is this task held by a worker that recover has not sealed?
local function held_by_live(worker, id)
  if not worker then return false end
  local lease = redis.call('ZSCORE', workers_key, worker)
  if not lease or tonumber(lease) < 0 then return false end
  return redis.pcall('HEXISTS', held_key(worker), id) == 1
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
