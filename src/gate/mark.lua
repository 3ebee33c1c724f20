-- Raises `published` or `persisted`; what is persisted leaves the outbox.
--
-- KEYS  state, outbox
-- ARGV  published | persisted, sequence, epoch
local found = redis.call('HMGET', KEYS[1], 'epoch', ARGV[1])
-- A mark of another epoch speaks of another outbox.
if found[1] ~= ARGV[3] or not found[2] then return {0} end
if tonumber(found[2]) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  if ARGV[1] == 'persisted' then
    -- An entry's id is its last sequence: this keeps every entry that is not wholly persisted.
    redis.call('XTRIM', KEYS[2], 'MINID', '=', string.format('%.0f-0', tonumber(ARGV[2]) + 1))
  end
end
return {0}
