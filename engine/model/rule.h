// What the engine knows of a kind of target: how it is described and done, and whether a result still holds.
// Thread rule: describe and execute are called from workers, of several targets at once.
#pragma once

#include <any>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/artifact.h"
#include "engine/model/event.h"
#include "engine/model/graph.h"
#include "engine/model/manifest.h"
#include "engine/model/record.h"
#include "engine/model/schema.h"

namespace trainmake {

// What the targets that a target needs came to. During a plan an upstream may not be known yet.
class Inputs {
 public:
  virtual ~Inputs() = default;
  // nullptr when not known: it will run, and what will come out cannot be told before.
  virtual const Artifacts* artifacts(TargetId target) const = 0;
  // What describing it found, as its rule left it in Description::carry; nullptr when it was not described.
  virtual const std::any* carry(TargetId target) const = 0;
};

struct Work {  // what execute would do, for plan
  std::uint64_t objects = 0, object_bytes = 0;
  std::uint64_t removals = 0;  // of objects
  std::uint64_t layers = 0, layer_bytes = 0;
  std::uint64_t jobs = 0;
};

struct Description {
  Manifest manifest;    // sealed
  bool certain = true;  // false: some upstream is not known, and the manifest is not the one that will be
  Artifacts predicted;  // what execute would leave, with identities, where that can be told; else empty
  Work work;            // what it would cost if it ran
  Looks looks;          // what was looked at
  std::vector<std::string>
      notes;       // what a person should know of it: links that were not entered, and the like
  std::any carry;  // from describe to execute of the same rule, and to describe of those that need it
};

struct Subject {
  const Graph& graph;
  TargetId id;
  const Inputs& inputs;

  const Target& target() const { return graph[id]; }
};

// How much of a job's log was told while another process watched it.
struct LogTold {
  std::string run;
  std::uint64_t lines = 0;
};

// What a worker has at hand while it does a step.
struct Doing {
  Fingerprint fingerprint;
  std::stop_token stop;  // first Ctrl-C
  EventSink events;      // from any thread
  Tally& tally;
  std::function<void(std::function<void()>)> on_owner;  // runs it on the thread that owns memory, and waits
  bool afresh = false;                                  // --force: an earlier result is not taken
  bool wait = true;  // false: hand the job over and leave, and do not wait while another trainmake is busy
  LogTold told = {};
};

struct Pause;

struct Done {
  Artifacts artifacts;
  std::string note;
  bool detached = false;                   // the job goes on without us; nothing to record
  std::string run;                         // of a job
  std::shared_ptr<Pause> pause = nullptr;  // it is not done yet, and needs no worker meanwhile
};

// A step that waits for something far away, as a thousand may at once.
struct Pause {
  // Called once; `wake` is to be called once in turn, from any thread, and right away if there is nothing to
  // wait for.
  std::function<void(std::function<void()> wake)> begin;
  std::function<Result<Done>()> go_on;  // on a worker, once woken
};

inline Done pausing(Pause pause) {
  Done done;
  done.pause = std::make_shared<Pause>(std::move(pause));
  return done;
}

enum class Pool : std::uint8_t { kCpu, kNetwork, kJobs };

class Rule {
 public:
  virtual ~Rule() = default;
  virtual const Schema& schema() const = 0;
  virtual Pool pool() const = 0;
  // A run is about to be planned: what targets depend on that only somebody else can tell is asked, and
  // written down where describe finds it. A plan alone asks nobody.
  virtual std::vector<std::pair<Error, Label>> before_run(const Graph& graph, const EventSink& events) {
    (void)graph, (void)events;
    return {};
  }
  // Everything the result depends on. Read-only and deterministic.
  virtual Result<Description> describe(const Subject& subject) = 0;
  // Whether a line of the manifest says where the target is made or goes, and not what it is: of a try on
  // this machine and of the real thing these are others.
  virtual bool says_where(const ManifestLine& line) const { return line.section == Section::kPlatform; }
  // Two steps of a target that do the same work are not done beside each other, whatever else they differ in;
  // nothing: no two of its steps are.
  virtual std::optional<Fingerprint> work_of(const Manifest& manifest) const {
    (void)manifest;
    return std::nullopt;
  }
  // Of a step that may run, when everything is planned and nothing done: what is known to go wrong.
  // Read-only.
  virtual Result<void> preflight(const Subject& subject) {
    (void)subject;
    return {};
  }
  // It is likely to be executed as soon as what it needs is done: what that would wait for may be done
  // meanwhile. On the owner's thread.
  virtual void expect(const Subject& subject, const Description& description) {
    (void)subject, (void)description;
  }
  // `subject`, `description` and `doing` stay until the step is done, whatever pauses it makes.
  virtual Result<Done> execute(const Subject& subject, const Description& description,
                               const Doing& doing) = 0;
  // Whether the record's artifacts are all there, and, of the label's `current` record, whether the world is
  // still as it says. Read-only; called on the owner's thread; adds what it looked at.
  virtual Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) = 0;
  // Makes the world as an earlier record says, before that is taken again; on a worker. REQUIRES: it holds.
  virtual Result<void> restore(const Subject& subject, const Record& record, const EventSink& events,
                               const std::stop_token& stop) {
    (void)subject, (void)record, (void)events, (void)stop;
    return {};
  }
  // A failure of this very fingerprint that should not be tried again, as an error to show; on the owner's
  // thread.
  virtual Result<std::optional<Error>> failed_before(const Subject& subject, const Description& description) {
    (void)subject, (void)description;
    return std::optional<Error>();
  }
};

// Rules by kind.
using Rules = std::vector<Rule*>;
Rule* rule_of(const Rules& rules, std::string_view kind);

}  // namespace trainmake
