-- Notes holders that a process knows of, while the coupon is shut.
--
-- KEYS  state, witnesses
-- ARGV  user, "SEQUENCE:ISSUED_AT_MS", ...
-- Answer: 0, 1 when there is no state, 2 when the coupon is not shut.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return {1} end
if string.sub(epoch, 1, 1) ~= 'r' then return {2, epoch} end
redis.call('HSET', KEYS[2], unpack(ARGV))
return {0}
