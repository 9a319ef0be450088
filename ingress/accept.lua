-- Accepts one request, in one step: rate limit, idempotency, journal, first views, idempotency record.
--
-- A script does not roll back, so the order of the writes is the promise: what is written before the journal entry
-- promises nothing, the entry is the acceptance itself, and a repeat after a failure behind it makes the same entry
-- once more, which intake ignores.
--
-- KEYS: 1 token bucket   2 idempotency record   3 journal   4… first views
-- ARGV: 1 tokens per second (0: no limit)   2 burst   3 fingerprint   4 idempotency record (begins with the fingerprint)
--       5 seconds to keep it   6 seconds to keep the first views   7 sealed views' epoch   8 and version
--       9… one sealed view for each of KEYS 4…, then the fields of the journal entry

local function take_token(bucket, rate, burst)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local kept = redis.call('HMGET', bucket, 'tokens', 'at')
  local tokens = tonumber(kept[1]) or burst
  local at = tonumber(kept[2]) or now
  tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)
  if tokens < 1 then
    return math.ceil((1 - tokens) * 1000 / rate)
  end
  redis.call('HSET', bucket, 'tokens', tostring(tokens - 1), 'at', string.format('%.0f', now))
  redis.call('PEXPIRE', bucket, math.ceil(burst * 1000 / rate) + 1000)
  return 0
end

local rate = tonumber(ARGV[1])
if rate > 0 then
  local wait = take_token(KEYS[1], rate, tonumber(ARGV[2]))
  if wait > 0 then
    return {'limited', wait}
  end
end

local record = redis.call('GET', KEYS[2])
if record then
  if string.sub(record, 1, #ARGV[3]) == ARGV[3] then
    return {'replayed', 0}
  end
  return {'conflict', 0}
end

local views = #KEYS - 3
redis.call('XADD', KEYS[3], '*', unpack(ARGV, 9 + views))

local standing = 0
for number = 1, views do
  local key = KEYS[3 + number]
  if redis.call('HSETNX', key, 'e', ARGV[7]) == 1 then
    redis.call('HSETNX', key, 'v', ARGV[8])
    redis.call('HSETNX', key, 'd', ARGV[8 + number])
    redis.call('EXPIRE', key, ARGV[6])
  else
    standing = 1
  end
end

redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])
return {'accepted', standing}
