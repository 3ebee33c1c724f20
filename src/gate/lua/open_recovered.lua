#!lua flags=allow-oom
-- Ends a recovery: the coupon is open again, in a new epoch.
--
-- KEYS  state, holders, outbox
-- ARGV  token, epoch, sequence, persisted, pending, stock, opens_at, closes_at, closed, revision
-- Answer: 0, 2 when the recovery of that token has ended, 6 when holders that were counted are gone, or 7 when the outbox
-- is gone.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'holders')
if found[1] ~= 'r' .. ARGV[1] then return {2, found[1] or ''} end
local holders = redis.call('HLEN', KEYS[2])
if found[3] and holders < tonumber(found[3]) then return {6, holders} end
if tonumber(ARGV[5]) > tonumber(ARGV[4]) and redis.call('XLEN', KEYS[3]) == 0 then return {7, ARGV[5]} end
if not found[2] or tonumber(found[2]) < tonumber(ARGV[10]) then
  redis.call('HSET', KEYS[1], 'stock', ARGV[6], 'opens_at', ARGV[7], 'closes_at', ARGV[8], 'closed', ARGV[9],
             'revision', ARGV[10])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'sequence', ARGV[3], 'published', ARGV[4], 'persisted', ARGV[4],
           'pending', ARGV[5], 'rebuilt', ARGV[3], 'holders', holders)
redis.call('HDEL', KEYS[1], 'was')
return {0}
