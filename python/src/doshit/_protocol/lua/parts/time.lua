-- time.lua: this moment as the protocol writes it.
-- 2015-12-05T00:19:01.834909Z. Days to a date after H. Hinnant, "chrono-compatible low-level date algorithms".
local function timestamp(us)
  local floor = math.floor
  local seconds = floor(us / 1000000)
  local days = floor(seconds / 86400)
  local second = seconds - days * 86400
  local z = days + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, doy - floor((153 * mp + 2) / 5) + 1,
    floor(second / 3600), floor(second % 3600 / 60), second % 60, us - seconds * 1000000)
end

-- This moment as the protocol writes it; made once a call, not once a task.
local moment
local function now_text()
  moment = moment or timestamp(now_us)
  return moment
end
