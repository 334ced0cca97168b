-- delay.lua: a delay among the arguments of a call.
-- As ms of the Redis clock.
local function due_in(seconds)
  local wait = tonumber(seconds)
  if not wait or not (wait >= 0 and wait < 1e10) then error('a delay is no number of seconds from 0 to 1e10: ' .. seconds) end
  return math.floor(now + wait * 1000)
end
