-- One process tells what it knows of a circuit, and hears what all know. Everything is decided here, in one step.
--
-- A turn is counted up at every change of the circuit, by whoever makes it. The higher turn is the newer knowledge: so a
-- process that went on alone while Redis was away is heard, and a Redis that has forgotten everything, or has come back
-- with old data, is told again. Of two that changed it at once, the one that opened it is right.
--
-- KEYS: 1 the circuit: `turn`, `state`, `since`, `probe` and `until` (its right to probe), `m:<member>` (what it told)
-- ARGV: 1 the process   2 its turn   3 its state (closed, open)   4 ms since that began   5 its failures in that turn
--       6 probe: wants to probe, or is probing; hold: may probe and has not begun; nothing
--       7 failures that open the circuit   8 ms of a right to probe   9 ms for which failures count
--       10 ms for which a process counts as present   11 ms to keep it all
-- Returns turn, state, ms since it began, the others' failures, processes present, whether this one may probe (1, 0).

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  kept[flat[i]] = flat[i + 1]
end

local member, told_turn, told_state = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local turn, state, since = tonumber(kept.turn), kept.state, tonumber(kept.since)
local holder, ends = kept.probe, tonumber(kept['until'] or 0)
if not holder or holder == '' or ends <= now then
  holder = nil
end
local known = turn and since and (state == 'open' or state == 'closed')
if not known or told_turn > turn or (told_turn == turn and told_state == 'open' and state == 'closed') then
  turn, state, since, holder = told_turn, told_state, now - tonumber(ARGV[4]), nil
end

local mine = told_turn == turn and tonumber(ARGV[5]) or 0
local others, present = 0, 1
for name, value in pairs(kept) do
  if string.sub(name, 1, 2) == 'm:' and name ~= 'm:' .. member then
    local of_turn, failures, at = string.match(value, '^(%d+) (%d+) (%d+)$')
    if not at or now - at > tonumber(ARGV[9]) then
      redis.call('HDEL', KEYS[1], name)
    else
      if tonumber(of_turn) == turn then
        others = others + tonumber(failures)
      end
      if now - at <= tonumber(ARGV[10]) then
        present = present + 1
      end
    end
  end
end

if state == 'closed' and mine + others >= tonumber(ARGV[7]) then
  turn, state, since, mine, others, holder = turn + 1, 'open', now, 0, 0, nil
end

local granted = 0
if state == 'closed' then
  holder = nil
elseif told_turn == turn and ARGV[6] == 'probe' then
  if not holder or holder == member then
    holder, ends, granted = member, now + tonumber(ARGV[8]), 1
  end
elseif holder == member and ARGV[6] == 'nothing' then
  holder = nil
end

local function whole(number)
  return string.format('%.0f', number)
end
redis.call('HSET', KEYS[1], 'turn', whole(turn), 'state', state, 'since', whole(since),
  'probe', holder or '', 'until', whole(holder and ends or 0),
  'm:' .. member, whole(turn) .. ' ' .. whole(mine) .. ' ' .. whole(now))
redis.call('PEXPIRE', KEYS[1], ARGV[11])
return {turn, state, math.max(0, now - since), others, present, granted}
