-- keys.lua: the names of keys, and what an error looks like.
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
