-- base.lua: what every transition begins with: the prefix, the clock, the names of keys.
--
-- KEYS[1]  the application prefix with its colon, "doshit:". Every other key is derived from it, so that all
--          of them lie in one hash slot when the prefix carries a {tag}.
-- ARGV[1]  now, microseconds since 1970, or "" for the Redis clock (tests pass it; nobody else does).
local app = KEYS[1]
local now_us
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
else
  now_us = tonumber(ARGV[1])
end
local now = math.floor(now_us / 1000)


local function task_key(id) return app .. 'task:' .. id end
local function pending_key(queue) return app .. queue .. ':pending' end
local function arrived_key(queue) return app .. queue .. ':arrived' end
local function executing_key(queue) return app .. queue .. ':executing' end
local function scheduled_key(queue) return app .. queue .. ':scheduled' end
local function held_key(worker) return app .. 'held:' .. worker end
local function worker_key(worker) return app .. 'worker:' .. worker end
local workers_key = app .. 'workers'
local queues_key = app .. 'queues'
local duties_key = app .. 'duties'

local function is_error(reply) return type(reply) == 'table' and reply.err ~= nil end
