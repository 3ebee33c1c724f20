#!lua flags=allow-oom
-- KEYS  state, outbox
-- ARGV  token, 1 to empty the outbox first, then per entry: last sequence, epoch, issued_at, users joined by ","
-- Answer: 0, or 2 when the recovery of that token has ended.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= 'r' .. ARGV[1] then return {2, epoch or ''} end
if ARGV[2] == '1' then redis.call('DEL', KEYS[2]) end
for i = 3, #ARGV, 4 do
  redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'e', ARGV[i + 1], 't', ARGV[i + 2], 'u', ARGV[i + 3])
end
return {0}
