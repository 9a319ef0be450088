-- Writes views, never an older one over a newer one, then wakes those who wait.
-- KEYS: the view keys, then the waiters' streams. ARGV: number of views, seconds that waiters' streams live, 1 if views of
-- the same version are to be written again, else 0; then epoch, version, sealed bytes and seconds to live of each view.
local views, waiters_lifetime, again = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local written = 0
for i = 1, views do
  local key, base = KEYS[i], 3 + (i - 1) * 4
  local epoch, version = tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2])
  local known = redis.call('HMGET', key, 'e', 'v')
  local known_epoch, known_version = tonumber(known[1] or '-1'), tonumber(known[2] or '-1') - again
  if epoch > known_epoch or (epoch == known_epoch and version > known_version) then
    redis.call('HSET', key, 'e', epoch, 'v', version, 'd', ARGV[base + 3])
    redis.call('EXPIRE', key, ARGV[base + 4])
    written = written + 1
  end
end
for i = views + 1, #KEYS do
  redis.call('XADD', KEYS[i], 'MAXLEN', 1, '*', 'woken', 1)
  redis.call('EXPIRE', KEYS[i], waiters_lifetime)
end
return written
