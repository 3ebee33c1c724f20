-- Forgets the hint of a coupon, unless another has been left since.
--
-- KEYS  active
-- ARGV  coupon, the hint in milliseconds
if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 1
