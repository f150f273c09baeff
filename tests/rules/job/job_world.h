// One job, its image, code and data, as a rule sees them: a graph made by hand, runs in memory, a fake
// platform.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "rules/job/job_rule.h"
#include "tests/rules/job/forking_processes.h"
#include "tests/support/fake_platform.h"
#include "tests/support/forwarding_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {

inline Value value_of(
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Table, Glob, PlacedPath> data) {
  Value value;
  value.data = std::move(data);
  return value;
}
inline Value list_of(std::vector<std::string> words) {
  Table table;
  for (std::string& word : words) table.items.push_back(value_of(std::move(word)));
  return value_of(std::move(table));
}
inline Value table_of(std::map<std::string, Value> fields) {
  return value_of(Table{{}, {fields.begin(), fields.end()}});
}

class FakeRuns final : public Runs {
 public:
  Result<void> put(const Run& run) override {
    if (failing) return fail(step_error("The disk is full"));
    if (on_put) on_put(run);
    const auto found =
        std::find_if(runs.begin(), runs.end(), [&](const Run& known) { return known.id == run.id; });
    if (found != runs.end()) *found = run;
    if (found == runs.end()) runs.insert(runs.begin(), run);
    return {};
  }
  Result<std::optional<Run>> get(std::string_view id) override {
    for (const Run& run : runs) {
      if (run.id == id) return std::optional<Run>(run);
    }
    return std::optional<Run>();
  }
  Result<std::vector<Run>> of(const Label& label, const Fingerprint& fingerprint) override {
    std::vector<Run> found;
    for (const Run& run : runs) {
      if (run.label == label && run.fingerprint == fingerprint && run.repeats.empty()) found.push_back(run);
    }
    return found;
  }
  Result<std::vector<Run>> of(const Label& label) override {
    std::vector<Run> found = runs;
    std::erase_if(found, [&](const Run& run) { return run.label != label || !run.repeats.empty(); });
    return found;
  }
  Result<int> next_attempt(const Label& label, const Fingerprint& fingerprint) override {
    int attempt = 1;
    for (const Run& run : runs) {
      if (run.label == label && run.fingerprint == fingerprint) attempt = std::max(attempt, run.attempt + 1);
    }
    return attempt;
  }
  Result<std::vector<Run>> all() override { return runs; }
  Result<std::vector<Run>> in_flight() override {
    std::vector<Run> found = runs;
    std::erase_if(found, [](const Run& run) { return is_over(run.status); });
    return found;
  }
  Result<std::vector<Run>> in_flight(const Label& label) override {
    std::vector<Run> found = runs;
    std::erase_if(found, [&](const Run& run) { return run.label != label || is_over(run.status); });
    return found;
  }
  Result<Curves> curves(std::string_view id) override {
    for (const Run& run : runs) {
      if (run.id == id) return run.curves;
    }
    return Curves();
  }

  std::vector<Run> runs;  // the newest first
  bool failing = false;
  std::function<void(const Run&)> on_put;
};

// Knows what a power cut would leave.
class SyncedFiles final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<void> sync_file(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    synced.insert(path);
    return ForwardingFileSystem::sync_file(path);
  }
  std::set<std::string> synced;

 private:
  std::mutex mutex_;
};

// Waiting takes no time, and every wait may be watched.
class StillClock final : public Clock {
 public:
  std::int64_t now_ns() override { return real_clock().now_ns() - behind_ns; }
  std::int64_t steady_ns() override { return real_clock().steady_ns() + waited_ns; }
  bool wait(std::chrono::milliseconds time, std::stop_token stop) override {
    waited_ns += std::chrono::nanoseconds(time).count();
    if (on_wait) on_wait();
    return stop.stop_requested();
  }
  std::function<void()> on_wait;
  std::atomic<std::int64_t> waited_ns = 0;
  std::int64_t behind_ns = 0;  // the files'
};

class FakeInputs final : public Inputs {
 public:
  const Artifacts* artifacts(TargetId target) const override {
    const auto found = known.find(target);
    return found == known.end() ? nullptr : &found->second;
  }
  const std::any* carry(TargetId target) const override {
    const auto found = carried.find(target);
    return found == carried.end() ? nullptr : &found->second;
  }
  std::map<TargetId, std::any> carried;
  std::map<TargetId, Artifacts> known;
};

struct JobWorld {
  enum : TargetId { kCode, kImage, kData, kMore, kOther, kJob };

  ScratchFolder folder;
  ForkingProcesses processes;
  NoHttp http;
  StillClock clock;
  Environment environment;
  Host host{real_file_system(), processes, http, clock, environment};
  Workspace workspace{folder.path(), folder.path("cache"), ""};
  Space space;
  Tally tally;
  SyncedFiles blob_files{real_file_system()};
  Blobs blobs{blob_files, folder.path("cache")};
  FileDigests digests{real_file_system(), real_clock(), folder.path(), folder.path("cache"), tally};
  FakeRuns runs;
  FakePlatform platform{folder.path("fake")};
  std::string platform_name = "fake";
  Graph graph;
  FakeInputs inputs;
  std::vector<Event> events;
  std::stop_source stop;
  bool retry = false, wait = true;
  bool tries_again = false;  // --retry
  std::shared_ptr<Platform> rehearsal;

  JobWorld() {
    for (const char* name : {"code:c", "image:i", "data:d", "data:more", "job:other", "job:j"}) {
      Target target;
      target.label = *parse_label(name, "");
      target.where = {"TRAINFILE.lua", static_cast<int>(graph.targets.size()) + 1};
      graph.ids[target.label] = static_cast<TargetId>(graph.targets.size());
      graph.targets.push_back(std::move(target));
    }
    graph.targets[kOther].attributes =
        *table_of({{"outputs", table_of({{"model", value_of("m/model.npz")}})}}).table();
    set("outputs", table_of({{"model", value_of("model.txt")}}));
    need("image", kImage);
    graph.targets[kImage].needs.push_back({kCode, "code", ""});
    give_code({{"train.py", "print(1)"}}, "train.py");
  }

  Target& job() { return graph.targets[kJob]; }
  Subject subject() { return {graph, kJob, inputs}; }
  void set(const std::string& attribute, Value value) {
    auto& fields = job().attributes.fields;
    std::erase_if(fields, [&](const auto& field) { return field.first == attribute; });
    if (!value.is_nil()) fields.emplace_back(attribute, std::move(value));
    std::sort(fields.begin(), fields.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  void need(const std::string& attribute, TargetId target, const std::string& channel = "") {
    job().needs.push_back({target, attribute, channel});
  }

  Artifact listing_artifact(const std::string& role, const Listing& listing) {
    const Sha256 digest = *blobs.put(encode(listing));
    return {role, tree_identity(listing, true).hex(), digest.hex(), 0, cat("blob:", digest.hex())};
  }
  void give_code(const std::map<std::string, std::string>& files, const std::string& main) {
    Listing listing;
    for (const auto& [key, content] : files) {
      ListedFile file;
      file.key = key;
      file.size = content.size();
      file.mode = 0644;
      file.content = digest_of(content);
      file.sha256 = *blobs.put(content);
      listing.push_back(std::move(file));
    }
    const Artifact code = listing_artifact("code", listing);
    inputs.known[kImage] = {{"image", cat("config of ", code.identity), "", 0, ""}, code};
    graph.targets[kCode].attributes = *table_of({{"main", value_of(main)}}).table();
  }
  // Nothing has run yet; this is what the description of `target` found.
  void foresee(TargetId target, const std::map<std::string, std::string>& files) {
    Listing listing;
    for (const auto& [key, content] : files) {
      folder.write(key, content);
      ListedFile file;
      file.key = file.source = key;
      file.size = content.size();
      file.mode = 0644;
      listing.push_back(std::move(file));
    }
    inputs.carried[target] = std::make_shared<const Listing>(std::move(listing));
  }
  // Files of the workspace as data that is read in place.
  void give_data(TargetId target, const std::map<std::string, std::string>& files) {
    Listing listing;
    for (const auto& [key, content] : files) {
      folder.write(key, content);
      ContentHasher hasher;
      hasher.add(content);
      ListedFile file;
      file.key = file.source = key;
      file.size = content.size();
      file.content = hasher.finish();
      listing.push_back(std::move(file));
    }
    inputs.known[target] = {listing_artifact("tree", listing)};
  }
  void give_job(const std::string& content) {
    const std::string digest = blobs.put(content)->hex();
    inputs.known[kOther] = {{"model", digest, digest, content.size(), cat("blob:", digest)}};
  }

  JobRule rule() {
    JobServices services{host, workspace, space, platform_name, blobs, digests, runs, platform, "1"};
    services.rehearsal = rehearsal;
    services.tries_again = tries_again;
    return JobRule(services);
  }
  Result<Description> describe() { return rule().describe(subject()); }
  Manifest manifest() {
    auto description = describe();
    EXPECT_TRUE(description) << (description ? "" : description.error().message);
    return description ? description->manifest : Manifest();
  }
  std::string describe_error() {
    auto description = describe();
    EXPECT_FALSE(description);
    return description ? "" : cat(description.error().message, " | ", description.error().hint);
  }
  Result<Done> execute() {
    JobRule the_rule = rule();
    auto description = the_rule.describe(subject());
    if (!description) return fail(description.error());
    const Doing doing{description->manifest.fingerprint(),
                      stop.get_token(),
                      [this](const Event& event) { events.push_back(event); },
                      tally,
                      [](const std::function<void()>& work) { work(); },
                      retry,
                      wait};
    return the_rule.execute(subject(), *description, doing);
  }
  std::vector<std::string> lines() {
    std::vector<std::string> all;
    for (const Event& event : events) {
      if (const auto* line = std::get_if<LogLine>(&event)) all.push_back(line->line);
    }
    return all;
  }
  std::string messages() {
    std::string all;
    for (const Event& event : events) {
      if (const auto* message = std::get_if<Message>(&event)) all += cat(message->text, "\n");
    }
    return all;
  }
};

}  // namespace trainmake
