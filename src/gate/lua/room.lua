#!lua
-- Nothing: a server that has no memory for more refuses to begin.
return {0}
