-- Shuts a coupon: the epoch becomes one that no claim and no mark names.
--
-- KEYS  state, holders
-- ARGV  token, created_at, the epoch that is expected ('' for no state)
-- Answer: 0 with the epoch when it was last open ('' for none), sequence, persisted and how many holders there are, or
-- 2 when another coupon of this id is there, or another epoch.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'sequence', 'persisted', 'created_at', 'was')
local was = found[1] or ''
if was ~= ARGV[3] or (found[4] and found[4] ~= ARGV[2]) then return {2, was} end
if string.sub(was, 1, 1) == 'r' then was = found[5] or '' end
-- A foreign key is found before the first write.
local holders = redis.call('HLEN', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', 'r' .. ARGV[1], 'created_at', ARGV[2], 'was', was)
return {0, was, found[2] or '0', found[3] or '0', holders}
