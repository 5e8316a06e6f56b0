import { FOREIGN, MAX_PENDING, nowLua, type DecideVariant } from './clock.lua.js';
import { ledgerLua } from './ledger.lua.js';

/**
 * Reads and writes limits of any algorithm: `open` gives a limit as it is now, `charge` and `save` write it. What is used
 * is `level` of the capacity, where cost 1 takes `per`.
 *
 * Values are `tat` (gcra), `index:count` (fixed-window, calendar), `index:previous:current` (sliding-window), all
 * followed by what is pending, ` id,expires,amount,mark` each: charges that can be settled. `expires` is when one is
 * taken back, or 0; `mark` is when gcra forgets it, and the window of sliding-window it was charged in. `!until` is a
 * block, of any algorithm.
 */
export function stateLua(variant: DecideVariant): string {
  const { keepMs } = variant;
  return `${nowLua(variant)}

local function read_pending(at, tail)
  local pending, length = {}, 0
  for id, expires, amount, mark in string.gmatch(tail, ' ([^ ,]+),(%d+),(%d+),(%d+)') do
    length = length + #id + #expires + #amount + #mark + 4
    pending[#pending + 1] = { id = id, expires = expires + 0, amount = amount + 0, mark = mark + 0 }
  end
  if length ~= #tail then ${FOREIGN} end
  at.pending = pending
end

-- Takes back what has expired. Together no more can be taken back than is used: what has drained meanwhile is cut off
-- from the oldest. A mark tells which of the pending charges are meant.
local function lapse(at, used, mark)
  local excess = -used
  for _, each in ipairs(at.pending) do
    if not mark or each.mark == mark then excess = excess + each.amount end
  end
  for _, each in ipairs(at.pending) do
    if not mark or each.mark == mark then
      if excess > 0 then
        local cut = math.min(excess, each.amount)
        each.amount, excess = each.amount - cut, excess - cut
      end
      if each.expires > 0 and each.expires <= now then
        used, each.gone = used - each.amount, true
      end
    end
  end
  return used
end

local function forget(at, is_gone)
  local pending = {}
  for _, each in ipairs(at.pending) do
    if not (each.gone or is_gone and is_gone(each)) then pending[#pending + 1] = each end
  end
  at.pending = #pending > 0 and pending or nil
end

local read = {}

read['gcra'] = function(at, stored)
  at.used = 0
  if not stored then return end
  local tat, tail = string.match(stored, '^(%d+)(.*)$')
  if not tat then ${FOREIGN} end
  at.used = math.max(tat - now, 0)
  if tail == '' then return end
  read_pending(at, tail)
  at.used = lapse(at, at.used)
  forget(at, function(each) return each.expires == 0 and each.mark <= now end)
end

local function read_window(at, stored)
  at.used = 0
  if not stored then return end
  local index, count, tail = string.match(stored, '^(%d+):(%d+)(.*)$')
  if not index then ${FOREIGN} end
  if tail ~= '' then read_pending(at, tail) end
  if index + 0 < at.index then
    at.pending = nil
    return
  end
  at.used = count + 0
  if at.pending then
    at.used = lapse(at, at.used)
    forget(at)
  end
end

read['fixed-window'] = function(at, stored)
  at.index = math.floor(now / at.window)
  at.ends = (at.index + 1) * at.window
  read_window(at, stored)
end

-- The client says where periods begin, and the clock here which of them is the present one.
read['calendar'] = function(at, stored)
  for boundary in string.gmatch(at.window, '%d+') do
    if now - boundary >= 0 then
      at.index = boundary + 0
    else
      at.ends = boundary + 0
      break
    end
  end
  if not (at.index and at.ends) then
    at.lost = true
  else
    read_window(at, stored)
  end
end

read['sliding-window'] = function(at, stored)
  local ms = math.floor(now / 1000)
  at.per, at.index, at.previous, at.used = at.window, math.floor(ms / at.window), 0, 0
  if stored then
    local index, previous, current, tail = string.match(stored, '^(%d+):(%d+):(%d+)(.*)$')
    if not index then ${FOREIGN} end
    if tail ~= '' then read_pending(at, tail) end
    -- Far ahead: counted in shorter windows, before the limit was changed. It would never be over, so it counts as now.
    local ahead = index - at.index
    if ahead > 1 then
      for _, each in ipairs(at.pending or {}) do each.mark = math.max(each.mark - ahead, 0) end
      index = at.index
    end
    if index + 0 >= at.index then
      at.index, at.previous, at.used = index + 0, previous + 0, current + 0
    elseif index + 1 == at.index then
      at.previous = current + 0
    end
    if at.pending then
      at.used = lapse(at, at.used, at.index)
      at.previous = lapse(at, at.previous, at.index - 1)
      forget(at, function(each) return each.mark < at.index - 1 end)
    end
  end
  at.elapsed = math.max(ms - at.index * at.window, 0)
end

local function level_of(at)
  if at.previous then return at.previous * (at.window - at.elapsed) + at.used * at.window end
  return at.used
end
${ledgerLua(variant)}
local function open(key, algorithm, window)
  local at = { key = key, algorithm = algorithm, window = tonumber(window) or window, per = 1 }
  local ledger = algorithm == 'sliding-log' or algorithm == 'concurrency'
  local stored = not (ledger and read_ledger(at)) and redis.call('GET', key)
  if stored and string.byte(stored) == 33 then
    local till = string.match(stored, '^!(%d+)$')
    if not till then ${FOREIGN} end
    if till - now > 0 then at.blocked = till + 0 end
    at.text = true
    stored = nil
  end
  if not ledger then
    read[algorithm](at, stored)
  elseif stored then
    ${FOREIGN}
  end
  return at
end

local function text_of(pending)
  if not pending then return '' end
  local text = {}
  for i, each in ipairs(pending) do
    text[i] = string.format(' %s,%.0f,%.0f,%.0f', each.id, each.expires, each.amount, each.mark)
  end
  return table.concat(text)
end

local function save(at)
  local tail, value, ends = text_of(at.pending), nil, nil
  if at.used == 0 and (at.previous or 0) == 0 and tail == '' then return redis.call('DEL', at.key) end
  if at.algorithm == 'gcra' then
    value, ends = string.format('%.0f', now + at.used), now + at.used
    for _, each in ipairs(at.pending or {}) do ends = math.max(ends, each.expires, each.mark) end
  elseif at.previous then
    value = string.format('%.0f:%.0f:%.0f', at.index, at.previous, at.used)
    ends = (at.index + 2) * at.window * 1000
  else
    value, ends = string.format('%.0f:%.0f', at.index, at.used), at.ends
  end
  redis.call('SET', at.key, value .. tail, 'PX', math.ceil((ends - now) / 1000) + ${keepMs})
end

-- A charge with a name can be settled; it expires after so many ms, with 0 never. -1: its name is only for a ledger.
local function charge(at, need, id, expires)
  if at.leaves then return add(at, expires < 0 and 'u' or 'h', need, id, expires) end
  at.used = at.used + need
  if expires >= 0 then
    local pending = at.pending or {}
    if #pending >= ${MAX_PENDING} then table.remove(pending, 1) end
    local mark = at.algorithm == 'gcra' and now + at.window or at.previous and at.index or 0
    pending[#pending + 1] = { id = id, expires = expires > 0 and now + expires * 1000 or 0, amount = need, mark = mark }
    at.pending = pending
  end
  save(at)
end

local function block(at, ms)
  at.blocked = now + ms * 1000
  redis.call('SET', at.key, string.format('!%.0f', at.blocked), 'PX', ms + ${keepMs})
end

-- What the client computes its answer from; of a ledger also when a request of this cost would fit.
local function tell(reply, at, limit, cost)
  local x, y, z = at.used, 0, 0
  if at.blocked then
    x = -at.blocked
  elseif at.previous then
    x, y, z = at.previous, at.used, at.index
  elseif at.ends then
    y = at.ends - now
  elseif at.leaves then
    y, z = waits(at, limit, cost)
  end
  reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = x, y, z
end
`;
}
