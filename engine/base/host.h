// The only door to the outside: files, processes, http, clock, environment. Tests replace it whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_system.h"
#include "engine/base/process_table.h"

namespace trainmake {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_ns() = 0;     // wall clock, since 1970
  virtual std::int64_t steady_ns() = 0;  // never jumps
  // Returns early, with true, when a stop is asked for.
  virtual bool wait(std::chrono::milliseconds time, std::stop_token stop) = 0;
};

Clock& real_clock();

struct Environment {
  std::map<std::string, std::string> variables;

  std::optional<std::string> get(const std::string& name) const;
  static Environment of_process();
};

struct Command {
  std::vector<std::string> arguments;              // [0] is looked up in the PATH of `environment`
  std::map<std::string, std::string> environment;  // all of it
  std::string folder;                              // "" is here
  // Gives what it reads to the sink that it is called with, on a thread of its own; without one there is
  // nothing to read. It is cut short with the error of the sink once nobody reads any more.
  std::function<Result<void>(const std::function<Result<void>(std::string_view)>& sink)> input = nullptr;
};

struct ProcessResult {
  int exit_code = 0;  // 128 + n when ended by signal n
  std::string output;
  std::string errors;
};

enum class Signal : std::uint8_t { kTerminate, kKill };  // asks it to end; ends it

class Processes {
 public:
  virtual ~Processes() = default;
  // An error of its input ends it, and is told in its place.
  virtual Result<ProcessResult> run(const Command& command, std::stop_token stop) = 0;
  // Starts it in a session of its own, with no terminal and no open files; it outlives us. Returns its pid.
  virtual Result<int> start_detached(const Command& command) = 0;
  // Never reaches another process that has the number by now. False when it is over; an error when it may not
  // be sent.
  virtual Result<bool> send(const Process& process, Signal signal) = 0;
};

Processes& real_processes();

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string redirect = {};  // the whole address that a redirect points to
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // In place of `body`: `body_size` bytes, asked for piece by piece on the thread that carries all requests.
  // It fills as much of `into` as it likes, and more than nothing until all was given.
  std::function<Result<std::size_t>(std::span<char> into)> body_from = nullptr;
  std::uint64_t body_size = 0;
  // In place of the answer's `body`, when its status is 200 or 206; on that thread, too. `head` is the answer
  // as far as it has come: its status and headers.
  std::function<Result<void>(const HttpResponse& head, std::string_view)> body_to = nullptr;
  // Certificates (PEM) whose holders may vouch for the server, beside those that this machine trusts.
  std::string authorities = {};
  std::chrono::milliseconds connect_within{15'000};
  std::uint64_t bytes_a_second = 0;  // of its body, at most; 0 is any number
  // On a connection of its own: over one that was kept, and may have been closed meanwhile, it could be sent
  // a second time by whoever carries it. For what must not be done twice.
  bool never_twice = false;
  // Over a connection that was kept, too; but where that is closed before an answer comes, it is an error,
  // and not sent a second time by whoever carries it.
  bool never_resent = false;
};

// What tells whose turn it is, where requests wait for each other.
struct Turn {
  std::uint64_t bytes = 0;  // of the body
  bool is_urgent = false;   // waits for no other
};

class Http {
 public:
  virtual ~Http() = default;
  // Any status is an answer, redirects too; an error is that there was none.
  virtual Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) = 0;
  // One that is made when it is its turn, for what is true at a time alone, as a signature.
  virtual Result<HttpResponse> send_in_turn(const Turn&, const std::function<Result<HttpRequest>()>& make,
                                            std::stop_token stop) {
    TRY_ASSIGN(const HttpRequest request, make());
    return send(request, std::move(stop));
  }
  // A request is likely to come soon: what the first one would wait for is done meanwhile, by the thread that
  // is handed out.
  virtual std::jthread get_ready() { return {}; }
};

Http& real_http();

struct Host {
  FileSystem& files;
  Processes& processes;
  Http& http;
  Clock& clock;
  const Environment& environment;
};

}  // namespace trainmake
