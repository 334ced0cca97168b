-- count.lua: reads what a worker wrote itself, and a stranger may have spoilt: what is no whole number counts as 0.
local function whole(value) return #value < 16 and string.match(value, '^%d+$') end
local function count(value) return tonumber(value and whole(value) or 0) end
