-- numbers.lua: reads what may be a number, and what may be anybody's bytes.
-- What a worker wrote itself, and a stranger may have spoilt: what is no number counts as 0.
local function whole(value) return #value < 16 and string.match(value, '^%d+$') end
local function count(value) return tonumber(value and whole(value) or 0) end

-- Durations a person typed: seconds, less than 317 years, so that what is computed from them stays a whole number of ms.
local function decimal(value) return #value < 16 and string.match(value, '^%d+%.?%d*$') and tonumber(value) < 1e10 end
local function is_lifetime(ttl) return ttl == 'keep' or decimal(ttl) end

-- A stranger's bytes inside a reason: one line, whatever they are.
local function shown(value) return (string.gsub(string.sub(value, 1, 40), '[^\32-\126]', '?')) end
