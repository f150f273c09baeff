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
  // Below it lie the folders that the contract names, as links to those above.
  std::string places() const { return top + "/places"; }
  std::string home() const { return top + "/home"; }
  std::string params() const { return top + "/params.json"; }
  std::string script() const { return top + "/script"; }
  std::string command() const { return top + "/command"; }
  std::string task() const { return top + "/task"; }    // of a job of several processes
  std::string names() const { return top + "/names"; }  // and how each line of its log says whose it is
  std::string sums() const { return top + "/sums"; }    // of the files of the checkpoint that it goes on from
  // All of these once more, for nodes that show a checkpoint folder at one path for all runs.
  std::string seen() const { return top + "/seen"; }
  std::string seen_params() const { return seen() + "/params.json"; }
  std::string seen_command() const { return seen() + "/command"; }
  std::string seen_task() const { return seen() + "/task"; }
  std::string view() const { return seen() + "/view"; }  // which shows it to what it starts
  // What a container of it is; and, of a parameter server, another.
  std::string order() const { return top + "/order"; }
  std::string server_order() const { return top + "/order-server"; }
  std::string done() const {
    return top + "/done";
  }  // a folder for each process that servers need not wait for
  // A link whose text is the exit code of the process that failed first, and which one it is: "3 worker 0".
  std::string first_failure() const { return top + "/failed/first"; }
  std::string secrets() const { return top + "/secrets"; }
  std::string log() const { return top + "/log.txt"; }
  std::string uses() const { return top + "/uses"; }  // names of the trees that it was given, a line each
  std::string ticket() const { return top + "/ticket"; }
  std::string number() const { return top + "/number"; }
  std::string owner() const { return top + "/owner"; }
  std::string started() const { return top + "/started"; }
  std::string exit() const { return top + "/exit.json"; }
  // Where that cannot be written, a link whose text says the same in a few words, which needs no room.
  std::string ended() const { return top + "/ended"; }
  std::string timed_out() const { return top + "/timed-out"; }
  std::string cancel() const { return top + "/cancel"; }
  std::string ports() const { return top + "/ports"; }  // that its job may have taken, a line each
  std::string end() const { return top + "/end.json"; }
  std::string settled() const { return top + "/settled"; }
};

// What `owner` says of a run that was cancelled before a job of it started.
inline constexpr const char* kCancelledOwner = "cancelled";

}  // namespace trainmake
