-- Raises `published` or `persisted`; what is persisted leaves the outbox.
--
-- KEYS  state, outbox
-- ARGV  published | persisted, sequence
local present = redis.call('HGET', KEYS[1], ARGV[1])
-- Without a state there is nothing to raise, and a write would leave half of one.
if not present then return {0} end
if tonumber(present) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  if ARGV[1] == 'persisted' then
    -- An entry's id is its last sequence: this keeps every entry that is not wholly persisted.
    redis.call('XTRIM', KEYS[2], 'MINID', '=', string.format('%.0f-0', tonumber(ARGV[2]) + 1))
  end
end
return {0}
