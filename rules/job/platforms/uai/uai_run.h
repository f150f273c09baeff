// What is kept here of a run on UAI-Train: its folder, `runs/<id>` below the cache, which the local
// platform's runs have, too, and `gc` tidies up alike. Pure. What each part is for, README.md tells.
#pragma once

#include <string>
#include <vector>

namespace trainmake {

struct UaiRun {
  std::string top;

  std::string asked() const { return top + "/asked"; }              // when the service was asked to create it
  std::string asked_clock() const { return top + "/asked-clock"; }  // that moment, by a clock nobody sets
  std::string service() const { return top + "/service"; }          // whom: address, project, region and zone
  std::string place() const { return top + "/place"; }    // where it writes, as the service was told
  std::string number() const { return top + "/number"; }  // the service's own id of it
  std::string wanted() const { return top + "/wanted"; }  // paths of its declared outputs, a line each
  std::string cancelled() const { return top + "/cancelled"; }
  std::string log() const { return top + "/log.txt"; }
  std::string nodes() const { return top + "/nodes"; }            // how many it has, where that is several
  std::string first_topic() const { return top + "/log-topic"; }  // whose lines have no mark
  std::string log_is_whole() const { return top + "/log-is-whole"; }
  std::string output_so_far() const { return top + "/output.so-far"; }  // of one that goes on
  std::string checkpoint() const { return top + "/checkpoint"; }
  std::string output() const { return top + "/output"; }
  std::string end() const { return top + "/exit.json"; }
  std::string removed() const { return top + "/removed"; }  // when it was taken off the service's list
  std::string settled() const { return top + "/settled"; }

  // Names of what `gc` leaves beside its log: which job it is, of whose, and where it left what.
  static std::vector<std::string> notes() {
    return {"asked",     "asked-clock", "service",   "place",        "number", "wanted",
            "cancelled", "nodes",       "log-topic", "log-is-whole", "removed"};
  }
};

}  // namespace trainmake
