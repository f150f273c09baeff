-- What a TRAINFILE says of UCloud's UAI-Train: the global `uai`, for editors as it stands. The names of its images are no
-- formula: the system is shortened, Python is written in five ways, and not all were made for processors too.
local host_of_platform = ... -- of UHub, as `internal_uhub` says

---@class uai
uai = {}

local TRUSTY, XENIAL = "ubuntu-14.04", "ubuntu-16.04"

-- What `arch` says, the system, Python as the name has it; `cpu` where an image for processors is published; `called` where
-- the name has something else for `arch`.
local published = {
  { "caffe-1.0.0", TRUSTY, "2.7.6", cpu = true },
  { "caffe-py-faster-rcnn", TRUSTY, "2.7.6" },
  { "caffe-py-rfcn", TRUSTY, "2.7.6" },
  { "caffe2-detectron", XENIAL, "2.7.6" },
  { "keras-2.0.8", TRUSTY, "2.7.6" },
  { "keras-2.1.6", XENIAL, "2.7" },
  { "keras-2.1.6", XENIAL, "3.6" },
  { "mxnet-0.11.0", TRUSTY, "2.7.6" },
  { "mxnet-1.0.0", TRUSTY, "2.7.6" },
  { "mxnet-1.0.0", XENIAL, "2.7.6", called = "mxnet-1.0.0cuda9" },
  { "mxnet-1.2.0", XENIAL, "2.7" },
  { "pytorch-0.2.0", TRUSTY, "2.7.6" },
  { "pytorch-0.4", XENIAL, "3.6" },
  { "tensorflow-1.1.0", TRUSTY, "2.7.6", cpu = true },
  { "tensorflow-1.2.0", TRUSTY, "2.7.6" },
  { "tensorflow-1.3.0", XENIAL, "3.6.2", cpu = true },
  { "tensorflow-1.4.0", TRUSTY, "2.7.6", cpu = true },
  { "tensorflow-1.4.0", XENIAL, "3.6.2" },
  { "tensorflow-1.5.0", XENIAL, "2.7.6" },
  { "tensorflow-1.6.0", XENIAL, "2.7.6" },
  { "tensorflow-1.6.0", XENIAL, "3.6" },
  { "tensorflow-1.7.0", XENIAL, "2.7", cpu = true },
  { "tensorflow-1.7.0", XENIAL, "3.6", cpu = true },
  { "tensorflow-1.8.0", XENIAL, "2.7" },
  { "tensorflow-1.8.0", XENIAL, "3.6" },
  { "tensorflow-1.9.0", XENIAL, "2.7" },
  { "tensorflow-1.9.0", XENIAL, "3.6", cpu = true },
  { "tensorflow-1.12.0", XENIAL, "2.7" },
  { "tensorflow-1.12.0", XENIAL, "3.5" },
  { "tensorflow-1.13.1", XENIAL, "2.7" },
  { "tensorflow-1.13.1", XENIAL, "3.5" },
  { "tensorflow-2.0.0a", XENIAL, "2.7" },
  { "tensorflow-2.0.0a", XENIAL, "3.5" },
}

local known = { arch = "string", os = "string", python = "string", internal = "boolean", cpu = "boolean" }

-- "python-3.6.2", "3.6" and "3" all ask for 3.6.
local function is_python(wanted, published_as)
  wanted = wanted:gsub("^python%-", "")
  local shorter = math.min(#wanted, #published_as)
  local rest = #wanted > shorter and wanted or published_as
  return wanted:sub(1, shorter) == published_as:sub(1, shorter) and (rest:sub(shorter + 1, shorter + 1)):find("^%.?$") ~= nil
end

local function is_system(wanted, published_as)
  return wanted == published_as or wanted:find("^" .. published_as:gsub("%p", "%%%0") .. "%.%d+$") ~= nil
end

local function shown(row)
  return ('%s with os = "%s", python = "python-%s"'):format(row[1], row[2], row[3])
end

-- Every value once, as they come.
local function archs_of(framework)
  local list, seen = {}, {}
  for _, row in ipairs(published) do
    local arch = row[1]
    if not seen[arch] and (framework == nil or arch:sub(1, #framework + 1) == framework .. "-") then
      seen[arch] = true
      list[#list + 1] = arch
    end
  end
  return list
end

local function find(wanted)
  local of_arch, fitting = {}, {}
  for _, row in ipairs(published) do
    if row[1] == wanted.arch then
      of_arch[#of_arch + 1] = shown(row)
      if (wanted.os == nil or is_system(wanted.os, row[2])) and (wanted.python == nil or is_python(wanted.python, row[3])) then
        fitting[#fitting + 1] = row
      end
    end
  end
  if #of_arch == 0 then
    local near = archs_of(wanted.arch:match("^%a+"))
    if #near == 0 then near = archs_of() end
    return nil, ("UAI-Train has no image of `%s`; it has %s"):format(wanted.arch, table.concat(near, ", "))
  end
  -- The first is the one that its own tools take when nothing else is said: the older system, then Python 2.
  if fitting[1] then return fitting[1] end
  return nil, ("UAI-Train has no such image of `%s`; it has %s"):format(wanted.arch, table.concat(of_arch, "; "))
end

local function mistake_in(wanted)
  if type(wanted) ~= "table" then return '`uai.base` takes a table; write `uai.base { arch = "caffe-1.0.0" }`' end
  for name, value in pairs(wanted) do
    local expected = known[name]
    if expected == nil then return ("`uai.base` knows no `%s`; it has arch, os, python, internal and cpu"):format(name) end
    if type(value) ~= expected then return ("`%s` of `uai.base` is a %s, not a %s"):format(name, expected, type(value)) end
  end
  if wanted.arch == nil then return '`uai.base` needs an `arch`; write `uai.base { arch = "caffe-1.0.0" }`' end
end

---The published image to build on, as variants `gpu` and, where there is one, `cpu`. It comes from the platform's UHub;
---`internal` says whether from the host that only machines inside of UCloud reach. `cpu = true` names one for processors
---though none is known to be published.
---@param wanted { arch: string, os?: string, python?: string, internal?: boolean, cpu?: boolean }
---@return table<string, string>
function uai.base(wanted)
  local mistake = mistake_in(wanted)
  if mistake then error(mistake, 2) end
  local row, why = find(wanted)
  if row == nil then error(why, 2) end
  local host = host_of_platform
  if wanted.internal ~= nil then host = wanted.internal and "uhub.service.ucloud.cn" or "uhub.ucloud.cn" end
  local function image(accelerator)
    return ("%s/uaishare/%s_uaitrain_%s_python-%s_%s:v1.0"):format(host, accelerator, row[2], row[3], row.called or row[1])
  end
  local with_cpu = wanted.cpu
  if with_cpu == nil then with_cpu = row.cpu end
  return { gpu = image("gpu"), cpu = with_cpu and image("cpu") or nil }
end
