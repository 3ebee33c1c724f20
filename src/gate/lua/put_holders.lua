#!lua flags=allow-oom
-- Makes users holders of a coupon that is shut, and counts them. A full server must not keep it shut: what would make room
-- is its own outbox.
--
-- KEYS  state, holders
-- ARGV  token, 1 to forget all holders first, then user, "SEQUENCE:ISSUED_AT_MS", ...
-- Answer: 0, 2 when the recovery of that token has ended, or 6 when holders that were counted are gone.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'holders')
if found[1] ~= 'r' .. ARGV[1] then return {2, found[1] or ''} end
local first = ARGV[2] == '1'
if #ARGV == 2 and not first then return {0} end
if first then
  redis.call('UNLINK', KEYS[2])
  redis.call('HDEL', KEYS[1], 'rejected')
end
local holders = redis.call('HLEN', KEYS[2])
if not first and holders < (tonumber(found[2]) or 0) then return {6, holders} end
if #ARGV > 2 then holders = holders + redis.call('HSET', KEYS[2], unpack(ARGV, 3)) end
redis.call('HSET', KEYS[1], 'holders', string.format('%d', holders))
return {0}
