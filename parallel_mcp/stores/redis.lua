-- The store's methods, each one atomic script call. KEYS[1] is the tagged prefix, so that every key is in one
-- slot. ARGV is the method, then names and values. Times are whole microseconds of Redis's own clock, money
-- whole billionths of a dollar.
--
--   row:ID        a hash, the research run      waiting:ID    a sorted set of waiters by when they lapse
--   flight:KEY    the id that is in flight      done:KEY      the id that was completed last
--   open:ID       a hash: holder -> line        line:NUMBER   a hash, an unsettled charge
--   history:CALLER  a sorted set of ids by age  spent:DAY:CALLER, budget:DAY:PAYER  the ledger's totals
--   working:CALLER  a hash: id -> bytes of the question  window:PAYER  the last minute's requests by time
--
-- Every key expires. Calling a method again with the same arguments has no further effect, so that a call whose
-- reply was lost can be repeated.

local DAY, MINUTE = 86400 * 1000000, 60 * 1000000
local REPLIED = {
  'id', 'caller', 'payer', 'origin', 'question', 'status', 'created', 'attempts', 'holder', 'due', 'finished',
  'error', 'maybe', 'cost', 'answer',
}
-- The fields that the script itself reads: not the question, not the answer.
local KNOWN = {
  'id', 'caller', 'payer', 'origin', 'status', 'created', 'attempts', 'holder', 'due', 'finished', 'maybe', 'cost',
  'key', 'claim', 'model',
}

local given = {}
for i = 2, #ARGV, 2 do given[ARGV[i]] = ARGV[i + 1] end

local LEASE, KEEP, MOST = tonumber(given.lease), tonumber(given.keep), tonumber(given.most)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local today = math.floor(now / DAY)

local function key(kind, name) return KEYS[1] .. ':' .. kind .. ':' .. name end
local function whole(number) return string.format('%.0f', number) end

-- The keys of a row in flight stay for the retention time and a day, counted from their last use.
local function expire(name) redis.call('PEXPIRE', name, whole((KEEP + DAY) / 1000)) end

-- The keys of a finished row stay for the retention time, counted from its end.
local function expire_after(name, finished) redis.call('PEXPIRE', name, whole((finished + KEEP - now) / 1000)) end

local function load(id)
  local values = redis.call('HMGET', key('row', id), unpack(KNOWN))
  local row = {}
  for i, name in ipairs(KNOWN) do row[name] = values[i] or nil end
  if not row.id then return nil end
  row.attempts, row.created, row.cost = tonumber(row.attempts), tonumber(row.created), tonumber(row.cost)
  row.due, row.finished = tonumber(row.due), tonumber(row.finished)
  if row.finished and row.finished + KEEP <= now then return nil end
  -- Nobody came back for it in all that time.
  if not row.finished and row.created + KEEP <= now and (row.due or row.created) + DAY <= now then return nil end
  return row
end

-- A row as the client gets it.
local function reply(id, entry)
  local values = redis.call('HMGET', key('row', id), unpack(REPLIED))
  return { entry or 'row', whole(now), unpack(values, 1, #REPLIED) }
end

local function reply_without_answer(id)
  local values = redis.call('HMGET', key('row', id), unpack(REPLIED, 1, #REPLIED - 1))
  values[#REPLIED] = false
  return { 'row', whole(now), unpack(values, 1, #REPLIED) }
end

-- Set some fields of a row and delete others.
local function write(row, fields, dropped)
  local name, flat = key('row', row.id), {}
  for field, value in pairs(fields) do
    flat[#flat + 1] = field
    flat[#flat + 1] = type(value) == 'number' and whole(value) or value
  end
  redis.call('HSET', name, unpack(flat))
  if dropped then redis.call('HDEL', name, unpack(dropped)) end
  local finished = fields.finished or row.finished
  if finished then expire_after(name, finished) else expire(name) end
  expire(key('history', row.caller))
end

-- The row is not in flight any more.
local function leave_flight(row)
  if row.key and redis.call('GET', key('flight', row.key)) == row.id then
    redis.call('DEL', key('flight', row.key))
  end
  redis.call('HDEL', key('working', row.caller), row.id)
  redis.call('DEL', key('waiting', row.id))
end

-- How many rows a caller has in flight, if one more would be too many or too large; else nil.
local function too_many(caller, bytes)
  local name = key('working', caller)
  if redis.call('HLEN', name) >= tonumber(given.most_runs) then
    -- Rows that nobody came back for have expired.
    for _, id in ipairs(redis.call('HKEYS', name)) do
      if redis.call('EXISTS', key('row', id)) == 0 then redis.call('HDEL', name, id) end
    end
  end
  local runs, total = 0, bytes
  for _, size in ipairs(redis.call('HVALS', name)) do runs, total = runs + 1, total + tonumber(size) end
  if runs >= tonumber(given.most_runs) or total > tonumber(given.most_bytes) then return runs end
  return nil
end

local function note_waiter(id)
  if not given.waiter then return end
  redis.call('ZADD', key('waiting', id), whole(now + LEASE), given.waiter)
  redis.call('PEXPIRE', key('waiting', id), whole(LEASE / 1000))
end

local function same_scope(row)
  return row.caller == given.caller and row.payer == given.payer and row.origin == given.origin
end

-- An empty payer or origin matches all.
local function seen(row)
  return row.caller == given.caller and (given.payer == '' or row.payer == given.payer)
    and (given.origin == '' or row.origin == given.origin)
end

local function scoped()
  local row = load(given.id)
  return row and same_scope(row) and row or nil
end

local function lapsed(row)
  return row.status == 'working' and (not row.holder or (row.due or 0) <= now)
end

local function tally(line, requests, usd, maybe)
  local name, field = key('spent', line.day .. ':' .. line.caller), line.payer .. '\n' .. line.model .. '\n'
  local left = redis.call('HINCRBY', name, field .. 'requests', whole(requests))
  redis.call('HINCRBY', name, field .. 'usd', whole(usd))
  redis.call('HINCRBY', name, field .. 'maybe', whole(maybe))
  if left == 0 then redis.call('HDEL', name, field .. 'requests', field .. 'usd', field .. 'maybe') end
  redis.call('EXPIRE', name, 400 * 86400)
  local total = key('budget', line.day .. ':' .. line.payer)
  if redis.call('INCRBY', total, whole(usd)) == 0 then redis.call('DEL', total) end
  redis.call('EXPIRE', total, 2 * 86400)
end

-- Charge a request. Returns what was spent if the budget does not allow it, else nil.
local function reserve(scope, model)
  local price, name = tonumber(given.price), key('line', given.line)
  if price == 0 or redis.call('EXISTS', name) == 1 then return nil end
  local spent = tonumber(redis.call('GET', key('budget', today .. ':' .. scope.payer)) or 0)
  if given.budget and spent + price > tonumber(given.budget) + 5000 then return { 'budget', whole(spent) } end
  tally({ day = today, caller = scope.caller, payer = scope.payer, model = model }, 1, price, price)
  redis.call('HSET', name, 'day', today, 'caller', scope.caller, 'payer', scope.payer, 'model', model, 'usd', price)
  expire(name)
  if given.id then
    redis.call('HSET', key('open', given.id), given.holder, given.line)
    expire(key('open', given.id))
  end
  return nil
end

-- Settle a charge. Returns what was given back.
local function settle(number, settlement)
  local name = key('line', number)
  local values = redis.call('HMGET', name, 'day', 'caller', 'payer', 'model', 'usd')
  if not values[1] then return 0 end
  local line = { day = values[1], caller = values[2], payer = values[3], model = values[4] }
  local usd = tonumber(values[5])
  if settlement == 'billed' then tally(line, 0, 0, -usd) end
  if settlement == 'unsent' then tally(line, -1, -usd, -usd) end
  redis.call('DEL', name)
  return settlement == 'unsent' and usd or 0
end

-- Settle the request that this holder has in flight. Returns what was given back, or nil if it has none.
local function settle_own(settlement)
  local number = redis.call('HGET', key('open', given.id), given.holder)
  if not number then return nil end
  redis.call('HDEL', key('open', given.id), given.holder)
  return settle(number, settlement)
end

-- Whether anybody waits for a row. Each row has a sorted set of waiters.
local function waiting(id)
  redis.call('ZREMRANGEBYSCORE', key('waiting', id), '-inf', whole(now))
  return redis.call('ZCARD', key('waiting', id)) > 0
end

-- Drop the oldest ids of a history if their rows have expired.
local function trim(caller)
  local name = key('history', caller)
  for _, id in ipairs(redis.call('ZRANGE', name, 0, 9)) do
    if redis.call('EXISTS', key('row', id)) == 0 then redis.call('ZREM', name, id) end
  end
end

local function erase(row)
  leave_flight(row)
  redis.call('DEL', key('row', row.id), key('waiting', row.id))
  redis.call('ZREM', key('history', row.caller), row.id)
end

local methods = {}

function methods.add()
  local id = redis.call('GET', key('flight', given.key))
  local row = id and load(id)
  if row and row.status == 'working' then
    note_waiter(id)
    return reply(id, id == given.id and 'added' or 'joined')
  end
  id = redis.call('GET', key('done', given.key))
  row = id and load(id)
  local reuse = tonumber(given.reuse)
  if row and row.status == 'completed' and reuse > 0 and row.finished > now - reuse then
    return reply(id, 'finished')
  end
  local runs = too_many(given.caller, #given.question)
  if runs then return { 'working', runs } end
  local refused = reserve(given, given.model)
  if refused then return refused end
  trim(given.caller)
  redis.call('ZADD', key('history', given.caller), whole(now), given.id)
  write({ id = given.id, caller = given.caller }, {
    id = given.id, caller = given.caller, payer = given.payer, origin = given.origin, question = given.question,
    key = given.key, model = given.model, holder = given.holder, status = 'working', created = now, attempts = 1,
    due = now + LEASE, maybe = 0, cost = tonumber(given.price),
  })
  redis.call('SET', key('flight', given.key), given.id)
  expire(key('flight', given.key))
  redis.call('HSET', key('working', given.caller), given.id, #given.question)
  expire(key('working', given.caller))
  note_waiter(given.id)
  return reply(given.id, 'added')
end

function methods.get()
  local row = scoped()
  if not row then return { 'none' } end
  if row.status == 'working' then note_waiter(row.id) end
  return reply(row.id)
end

-- A full Redis refuses SET, but not commands that delete.
function methods.check()
  redis.call('SET', KEYS[1] .. ':check', '1', 'EX', '60')
  return { 'none' }
end

function methods.leave()
  redis.call('ZREM', key('waiting', given.id), given.waiter)
  return { 'none' }
end

function methods.claim()
  local row = scoped()
  if not row then return { 'none' } end
  if row.claim == given.line then return reply(row.id) end
  local as_seen = row.holder == given.seen_holder and row.due == tonumber(given.seen_due)
  if not lapsed(row) or not as_seen then return { 'none' } end
  if row.attempts >= MOST then
    leave_flight(row)
    write(row, { status = 'failed', finished = now, error = given.interrupted, maybe = 1, claim = given.line },
      { 'key', 'holder', 'due' })
    return reply(row.id)
  end
  local refused = reserve(row, row.model)
  if refused then return refused end
  write(row, {
    holder = given.holder, due = now + LEASE, attempts = row.attempts + 1, claim = given.line,
    cost = row.cost + tonumber(given.price),
  })
  expire(key('flight', row.key))
  return reply(row.id)
end

function methods.renew()
  local row = load(given.id)
  if not row then return { 'none' } end
  if row.status == 'working' and row.holder == given.holder then
    write(row, { due = now + LEASE })
    expire(key('flight', row.key))
  end
  return reply(row.id)
end

function methods.release()
  local row = load(given.id)
  local mine = row and row.holder == given.holder
  local back = settle_own(given.unsent and 'unsent' or 'maybe')
  if row and given.unsent and (back or mine) then
    local attempts = row.attempts - 1
    write(row, { attempts = attempts, cost = row.cost - (back or 0), maybe = attempts > 0 and row.maybe or 0 })
  end
  if mine then redis.call('HDEL', key('row', row.id), 'holder', 'due') end
  -- Nothing was sent for it, and nobody wants it.
  if row then row = load(given.id) end
  if row and row.status == 'cancelled' and row.attempts == 0 then erase(row) end
  return { 'none' }
end

local function complete(row)
  leave_flight(row)
  if row.key and given.reusable then
    redis.call('SET', key('done', row.key), row.id)
    expire_after(key('done', row.key), now)
  end
  write(row, { status = 'completed', answer = given.answer, finished = now, maybe = row.attempts > 1 and 1 or 0 },
    { 'error', 'holder', 'due', not given.reusable and 'key' or nil })
end

local function fail(row)
  leave_flight(row)
  local maybe = (given.maybe or row.attempts > 1) and 1 or 0
  write(row, { status = 'failed', error = given.error, finished = now, maybe = maybe }, { 'key', 'holder', 'due' })
end

function methods.finish()
  -- Settled whatever becomes of the row, since the request was billed or not regardless.
  local back = settle_own(given.settlement)
  local row = load(given.id)
  if not row then return { 'none' } end
  if back and back > 0 then write(row, { cost = row.cost - back }) end
  if row.status ~= 'completed' and given.answer then
    complete(row)
  elseif row.status == 'working' and row.holder == given.holder and not given.answer then
    fail(row)
  end
  return reply(row.id)
end

function methods.cancel()
  local row = scoped()
  if not row then return { 'none' } end
  if row.status ~= 'working' then return reply(row.id) end
  if given.waiter then redis.call('ZREM', key('waiting', row.id), given.waiter) end
  if not waiting(row.id) then
    leave_flight(row)
    -- The holder stays, so that it can still report that nothing was sent.
    write(row, { status = 'cancelled', finished = now, maybe = row.attempts > 0 and 1 or 0 }, { 'key', 'due' })
    if row.attempts == 0 then
      local gone = reply(row.id)
      erase(row)
      return gone
    end
  end
  return reply(row.id)
end

function methods.list()
  local name, start, limit, rows, gone = key('history', given.caller), 0, tonumber(given.limit), {}, {}
  if given.before then
    local rank = redis.call('ZREVRANK', name, given.before)
    if not rank then return rows end
    start = rank + 1
  end
  while #rows < limit do
    local ids = redis.call('ZREVRANGE', name, start, start + 99)
    if #ids == 0 then break end
    for _, id in ipairs(ids) do
      local row = load(id)
      if not row then gone[#gone + 1] = id end
      if row and seen(row) and #rows < limit then rows[#rows + 1] = reply_without_answer(id) end
    end
    start = start + #ids
  end
  for _, id in ipairs(gone) do redis.call('ZREM', name, id) end
  return rows
end

function methods.forget()
  local ids = given.id and { given.id } or redis.call('ZRANGE', key('history', given.caller), 0, -1)
  local count = 0
  for _, id in ipairs(ids) do
    local row = load(id)
    if row and seen(row) and (given.id or row.status ~= 'working') then
      erase(row)
      count = count + 1
    end
  end
  return { 'count', count }
end

function methods.charge()
  return reserve(given, given.model) or { 'none' }
end

function methods.settle()
  settle(given.line, given.settlement)
  return { 'none' }
end

-- Count a request in a payer's last minute, unless it is full or others are ahead. Returns how long to wait.
function methods.turn()
  local name, limit, ahead = key('window', given.payer), tonumber(given.limit), tonumber(given.ahead)
  redis.call('ZREMRANGEBYSCORE', name, '-inf', whole(now - MINUTE))
  if redis.call('ZSCORE', name, given.line) then return { 'wait', '0' } end
  local count = redis.call('ZCARD', name)
  if count + ahead < limit then
    if ahead == 0 then
      redis.call('ZADD', name, whole(now), given.line)
      redis.call('PEXPIRE', name, whole(MINUTE / 1000))
    end
    return { 'wait', '0' }
  end
  local place = (count + ahead - limit) % limit
  local minutes = math.floor((count + ahead - limit) / limit) + 1
  local sent_at = redis.call('ZRANGE', name, place, place, 'WITHSCORES')[2]
  return { 'wait', whole((tonumber(sent_at) or now) + minutes * MINUTE - now) }
end

-- For each day with any totals: the day, then the totals as fields and values.
function methods.spent()
  local found = {}
  for day = today, today - tonumber(given.days) + 1, -1 do
    local totals = redis.call('HGETALL', key('spent', day .. ':' .. given.caller))
    if #totals > 0 then found[#found + 1] = { whole(day), unpack(totals) } end
  end
  return found
end

return methods[ARGV[1]]()
