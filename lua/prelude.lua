-- Functions of Lua that are written in Lua here, because of how the C ones behave: table.sort chooses its pivots by the clock,
-- so that equal items would come out in another order every time; table.move counts to its end even where nothing is
-- moved; xpcall runs its handler where no limit can stop it. These are stable, and stop at the instruction limit.

local type, error, pcall, pack, unpack = type, error, pcall, table.pack, table.unpack

local function less_than(a, b)
  return a < b
end

-- Merges the runs from[first..middle] and from[middle+1..last] into `to`.
local function merge(from, to, first, middle, last, less)
  local left, right = first, middle + 1
  for at = first, last do
    if right > last or (left <= middle and not less(from[right], from[left])) then
      to[at], left = from[left], left + 1
    else
      to[at], right = from[right], right + 1
    end
  end
end

function table.sort(list, less)
  if type(list) ~= "table" then
    error("`table.sort` takes a table, not a " .. type(list), 2)
  end
  less = less or less_than
  local count, width = #list, 1
  local from, to = list, {}
  while width < count do
    for first = 1, count, 2 * width do
      local middle, last = first + width - 1, first + 2 * width - 1
      if last > count then last = count end
      if middle > last then middle = last end
      merge(from, to, first, middle, last, less)
    end
    from, to = to, from
    width = 2 * width
  end
  if from ~= list then
    for at = 1, count do list[at] = from[at] end
  end
end

function table.move(from, first, last, at, to)
  to = to or from
  if at > last or at <= first or to ~= from then
    for i = 0, last - first do to[at + i] = from[first + i] end
  else
    for i = last - first, 0, -1 do to[at + i] = from[first + i] end
  end
  return to
end

function xpcall(call, handler, ...)
  local results = pack(pcall(call, ...))
  if results[1] then
    return unpack(results, 1, results.n)
  end
  return false, handler(results[2])
end
