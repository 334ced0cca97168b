-- numbers.lua: reads the numbers that a person typed.
-- Durations: seconds, less than 317 years, so that what is computed from them stays a whole number of ms.
local function decimal(value) return #value < 16 and string.match(value, '^%d+%.?%d*$') and tonumber(value) < 1e10 end
local function is_lifetime(ttl) return ttl == 'keep' or decimal(ttl) end
