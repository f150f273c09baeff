// A run's folder below the shared one: where its parts lie, for clients and nodes alike. Pure. What each part
// is for, README.md tells.
#pragma once

#include <string>

namespace trainmake {

struct SlurmRun {
  std::string top;

  std::string code() const { return top + "/code"; }
  std::string data() const { return top + "/data"; }  // of a job without any
  std::string output() const { return top + "/output"; }
  std::string checkpoint() const { return top + "/checkpoint"; }  // a link, till the run succeeded
  std::string log_folder() const { return top + "/log"; }
  std::string home() const { return top + "/home"; }
  std::string params() const { return top + "/params.json"; }
  std::string script() const { return top + "/script"; }
  std::string command() const { return top + "/command"; }
  std::string task() const { return top + "/task"; }  // of a job of several nodes
  std::string secrets() const { return top + "/secrets"; }
  std::string log() const { return top + "/log.txt"; }
  std::string ticket() const { return top + "/ticket"; }
  std::string number() const { return top + "/number"; }
  std::string owner() const { return top + "/owner"; }
  std::string started() const { return top + "/started"; }
  std::string exit() const { return top + "/exit.json"; }
  std::string timed_out() const { return top + "/timed-out"; }
  std::string cancel() const { return top + "/cancel"; }
  std::string end() const { return top + "/end.json"; }
  std::string settled() const { return top + "/settled"; }
};

// What `owner` says of a run that was cancelled before a job of it started.
inline constexpr const char* kCancelledOwner = "cancelled";

}  // namespace trainmake
