#!lua flags=allow-oom
-- Ends a recovery: the coupon is open again, in a new epoch.
--
-- KEYS  state, holders, outbox
-- ARGV  token, epoch, sequence, persisted, pending, stock, opens_at, closes_at, closed, revision
-- Answer: 0, 2 when the recovery of that token has ended, 6 when holders that were counted are gone, 7 when the outbox is
-- gone, or 8 when a field is gone that a later revision has brought.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'holders', 'stock', 'opens_at', 'closes_at', 'closed')
if found[1] ~= 'r' .. ARGV[1] then return {2, found[1] or ''} end
local holders = redis.call('HLEN', KEYS[2])
if holders < (tonumber(found[3]) or 0) then return {6, holders} end
if tonumber(ARGV[5]) > tonumber(ARGV[4]) and redis.call('XLEN', KEYS[3]) == 0 then return {7, ARGV[5]} end
local revision = tonumber(found[2]) or -1
local whole = tonumber(found[4]) and (found[5] == '' or tonumber(found[5])) and (found[6] == '' or tonumber(found[6])) and
              (found[7] == '0' or found[7] == '1')
if not whole and revision > tonumber(ARGV[10]) then return {8} end
if not whole or revision < tonumber(ARGV[10]) then
  redis.call('HSET', KEYS[1], 'stock', ARGV[6], 'opens_at', ARGV[7], 'closes_at', ARGV[8], 'closed', ARGV[9],
             'revision', ARGV[10])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'sequence', ARGV[3], 'published', ARGV[4], 'persisted', ARGV[4],
           'pending', ARGV[5], 'rebuilt', ARGV[3], 'holders', holders)
redis.call('HDEL', KEYS[1], 'was', 'torn')
return {0}
