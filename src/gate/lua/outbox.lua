-- Whether an outbox begins with what the state says waits first.
--
-- KEYS  state, outbox
-- Answer: 1, or 0 when that is gone.
local found = redis.call('HMGET', KEYS[1], 'sequence', 'persisted', 'rebuilt', 'pending')
local sequence, persisted, rebuilt = tonumber(found[1]), tonumber(found[2]), tonumber(found[3]) or 0
if not sequence or not persisted then return 0 end
local last = sequence <= rebuilt and (tonumber(found[4]) or sequence) or sequence
if last <= persisted then return 1 end
local first = redis.call('XRANGE', KEYS[2], string.format('%.0f-0', persisted + 1), '+', 'COUNT', 1)[1]
if not first then return 0 end
local fields = first[2]
if fields[5] ~= 'u' then return 1 end  -- whoever reads it says so
local _, commas = string.gsub(fields[6], ',', ',')
-- What a recovery wrote has holes.
local before = tonumber(string.match(first[1], '^%d+')) - commas - 1
return before <= math.max(persisted, rebuilt) and 1 or 0
