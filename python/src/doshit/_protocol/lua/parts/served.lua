-- served.lua: which functions somebody serves.
-- Does a worker with a lease, other than `except`, serve this function on this queue? Asked once a call for each.
local served = {}
local function look_for_server(queue, fn, except)
  local live = redis.call('ZRANGEBYSCORE', workers_key, now, '+inf', 'LIMIT', 0, 1000)
  for i = 1, #live do
    local it = live[i] ~= except and redis.pcall('HMGET', worker_key(live[i]), 'catalog', 'queues') or {}
    if it[1] and it[2] and string.find(',' .. it[2] .. ',', ',' .. queue .. ',', 1, true)
      and redis.pcall('HEXISTS', app .. 'catalog:' .. it[1], fn) == 1 then
      return true
    end
  end
  return false
end
local function is_served(queue, fn, except)
  local name = queue .. ' ' .. fn
  if served[name] == nil then served[name] = look_for_server(queue, fn, except) end
  return served[name]
end
