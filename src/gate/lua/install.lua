-- Creates the state of a coupon that was never opened.
--
-- KEYS  state, holders, outbox
-- ARGV  stock, opens_at, closes_at, closed, epoch, revision, created_at
-- Answer: 0 when the state is there now, 2 when another coupon is, or remains of one, 9 when this one has issued, or is in a
-- later epoch or a recovery.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'created_at', 'sequence')
if found[1] then
  if found[2] and found[2] ~= ARGV[7] then return {2, found[1]} end
  if found[1] == ARGV[5] then return {0} end
  -- An opening that another process has overtaken: its epoch was never trusted.
  local earlier = tonumber(found[1])
  if not earlier or earlier > tonumber(ARGV[5]) or found[3] ~= '0' then return {9, found[1]} end
end
-- Holders without a state: the coupon was opened, and its state is lost. That is for a rebuild, not for us.
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then return {2, ''} end

redis.call('HSET', KEYS[1], 'stock', ARGV[1], 'opens_at', ARGV[2], 'closes_at', ARGV[3], 'closed', ARGV[4],
           'epoch', ARGV[5], 'revision', ARGV[6], 'created_at', ARGV[7], 'sequence', '0', 'published', '0',
           'persisted', '0', 'holders', '0')
return {0}
