#!lua
-- Nothing: a server that has no memory for more refuses to begin.
--
-- ARGV  as many bytes as there must be room for
-- Answer: 0.
return {0}
