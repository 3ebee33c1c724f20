#!lua flags=allow-oom
-- Raises `published` or `persisted`; what is persisted leaves the outbox.
--
-- KEYS  state, outbox
-- ARGV  published | persisted, sequence, epoch
local found = redis.call('HMGET', KEYS[1], 'epoch', ARGV[1], 'pending', 'rebuilt')
-- A mark of another epoch speaks of another outbox.
if found[1] ~= ARGV[3] or not found[2] then return {0} end
local mark, before, pending = tonumber(ARGV[2]), tonumber(found[2]), tonumber(found[3])
-- Between the end of a rebuilt outbox and the sequence it was opened with, nothing waits.
if pending and mark >= pending then mark = math.max(mark, tonumber(found[4]) or 0) end
if before and before < mark then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', mark))
  if ARGV[1] == 'persisted' then
    -- An entry's id is its last sequence: this keeps every entry that is not wholly persisted.
    redis.call('XTRIM', KEYS[2], 'MINID', '=', string.format('%.0f-0', mark + 1))
  end
end
return {0}
