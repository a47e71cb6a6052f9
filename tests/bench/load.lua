-- load: what wrk sends, and what it saw as one line of JSON.
--
--   wrk … -s load.lua URL -- get PATH      GET PATH with %s replaced by one of many budgets
--   wrk … -s load.lua URL -- post PREFIX   POST one run named PREFIX-thread-number, never twice
local BUDGETS = 256
local JSON = {["Content-Type"] = "application/json"}
local threads = 0
local make

function setup(thread)
   threads = threads + 1
   thread:set("thread_number", threads)
end

-- Budgets from 1e21 to 1e23 FLOPs, so that no answer can be one kept from before.
local function get(path)
   local ready, at = {}, 0
   for i = 1, BUDGETS do
      local budget = ("%.4e"):format(10 ^ (21 + 2 * (i - 1) / BUDGETS)):gsub("+", "")
      ready[i] = wrk.format("GET", path:format(budget))
   end
   return function()
      at = at % BUDGETS + 1
      return ready[at]
   end
end

local function post(prefix)
   local body = '{"name":"%s-%d-%d","n_active":1.3e9,"n_total":7.1e9,"tokens":2.6e10,' ..
                '"experts":8,"granularity":1,"loss":2.5163}'
   local number = 0
   return function()
      number = number + 1
      return wrk.format("POST", "/v1/experiments", JSON,
                        body:format(prefix, thread_number, number))
   end
end

function init(args)
   make = ({get = get, post = post})[args[1]](args[2])
end

function request()
   return make()
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(('{"requests": %d, "duration_us": %d, "failed": %d, "p50_us": %d, "p99_us": %d}\n')
      :format(summary.requests, summary.duration,
              e.connect + e.read + e.write + e.status + e.timeout,
              latency:percentile(50), latency:percentile(99)))
end
