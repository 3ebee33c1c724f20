#!lua flags=allow-oom
-- Raises `published` or `persisted`; what is persisted leaves the outbox.
--
-- KEYS  state, outbox
-- ARGV  published | persisted, sequence, epoch
local found = redis.call('HMGET', KEYS[1], 'epoch', ARGV[1], 'pending', 'rebuilt')
-- A mark of another epoch speaks of another outbox.
if found[1] ~= ARGV[3] or not found[2] then return {0} end
local mark = tonumber(ARGV[2])
-- Between the end of a rebuilt outbox and the sequence it was opened with, nothing waits.
if found[3] and mark >= tonumber(found[3]) then mark = math.max(mark, tonumber(found[4])) end
if tonumber(found[2]) < mark then
  if ARGV[1] == 'persisted' then
    -- An entry's id is its last sequence: this keeps every entry that is not wholly persisted.
    redis.call('XTRIM', KEYS[2], 'MINID', '=', string.format('%.0f-0', mark + 1))
  end
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', mark))
end
return {0}
