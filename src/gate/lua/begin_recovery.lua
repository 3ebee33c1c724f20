#!lua flags=allow-oom
-- Shuts a coupon: the epoch becomes one that no claim and no mark names.
--
-- KEYS  state, holders, outbox
-- ARGV  token, created_at, the epoch that is expected ('' for no state)
-- Answer: 0 with the epoch when it was last open ('' for none), sequence, persisted, how many holders there are, how many
-- the state says there are ('' when it does not say), the last sequence that waits in the outbox and how many entries that
-- has; or 2 when another coupon of this id is there, or another epoch.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'sequence', 'persisted', 'created_at', 'was', 'holders', 'rebuilt',
                         'pending')
local was = found[1] or ''
if was ~= ARGV[3] or (found[4] and found[4] ~= ARGV[2]) then return {2, was} end
if string.sub(was, 1, 1) == 'r' then was = found[5] or '' end
-- A foreign key is found before the first write.
local holders = redis.call('HLEN', KEYS[2])
local outbox = redis.call('XLEN', KEYS[3])
local last = tonumber(found[2] or '0')
if found[7] and last <= tonumber(found[7]) then last = tonumber(found[8]) end
redis.call('HSET', KEYS[1], 'epoch', 'r' .. ARGV[1], 'created_at', ARGV[2], 'was', was)
return {0, was, found[2] or '0', found[3] or '0', holders, found[6] or '', last, outbox}
