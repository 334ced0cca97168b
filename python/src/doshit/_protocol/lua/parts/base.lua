-- base.lua: what every transition begins with: the prefix and the clock.
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
