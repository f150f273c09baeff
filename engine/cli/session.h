// One call of trainmake: where it is, what it was asked, and the parts it is put together from, each made
// when first needed.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/file_digests.h"
#include "cache/file_set.h"
#include "cache/state.h"
#include "cache/stores/store.h"
#include "engine/base/host.h"
#include "engine/base/lock_table.h"
#include "engine/cli/find_workspace.h"
#include "engine/cli/flags.h"
#include "engine/cli/report.h"
#include "engine/model/graph.h"
#include "engine/model/rule.h"

namespace trainmake {

class Platform;
class Reporter;
struct ImageServices;

class Session {
 public:
  // Finds the workspace and reads TRAINSPACE.lua only when asked to.
  static Result<std::unique_ptr<Session>> open(CommandLine line, const Environment& environment);
  ~Session();

  const CommandLine& line() const { return line_; }
  Host& host() { return host_; }
  const Workspace& workspace() const { return position_.workspace; }
  const Position& position() const { return position_; }
  const std::string& here() const { return position_.workspace.here; }
  Tally& tally() { return tally_; }
  // What ends a command: its summary, with how long all of it took.
  void finish(Reporter& reporter, Summary summary);
  bool json() const { return line_.has("--json"); }
  std::string shown(const Label& label) const { return label.shortest_from(here()); }

  // Closes the one opened before. REQUIRES: no rules() so far; they keep to the state that they were made
  // with.
  Result<void> open_state(State::Access access);
  State& state();                // REQUIRES: open_state
  Result<const Space*> space();  // TRAINSPACE.lua; its errors are errors
  std::vector<Error> space_errors() const { return space_ ? space_->errors : std::vector<Error>(); }
  Result<std::string> platform_name();
  // Names by which `select` chooses, too, where this machine stands for another platform.
  std::vector<std::string> stood_for(const Space& space) const;
  Result<Platform*> platform();  // the chosen one
  Result<Platform*> platform_named(const std::string& name);
  Blobs& blobs() { return blobs_; }
  FileDigests& digests() { return digests_; }
  LockTable& step_locks() { return step_locks_; }
  const StoreRooms& store_rooms() const;
  Result<ImageServices> image_services();

  std::vector<const Schema*> schemas();
  Result<const Rules*> rules();  // needs the space, a platform and the state

  // Words as patterns; `//...` and its like are kept recursive.
  Result<std::vector<Pattern>> requests(const std::vector<std::string>& words);

 private:
  Session(CommandLine line, const Environment& environment, Position position);

  CommandLine line_;
  Environment environment_;
  Host host_;
  Position position_;
  Tally tally_;
  const std::int64_t began_ns_;  // by the steady clock
  Blobs blobs_;
  FileDigests digests_;
  FileSets file_sets_;
  LockTable step_locks_;
  std::optional<Space> space_;
  std::unique_ptr<State> state_;
  std::map<std::string, std::unique_ptr<Platform>> platforms_;
  std::vector<std::unique_ptr<Rule>> owned_rules_;
  Rules rules_;
};

// Load and resolve: the graph of what was asked for, or every error that was found.
struct Loaded {
  Graph graph;
  Looks looks;
  std::vector<Error> errors;
};
Loaded load_graph(Session& session, const std::vector<Pattern>& patterns);

// Load alone: the projects that the patterns name, as their files declare them, with what is wrong in each.
Result<std::vector<Project>> load_declared(Session& session, const std::vector<Pattern>& patterns);

}  // namespace trainmake
