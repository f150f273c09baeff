// A workspace in memory, and one target of code, data or image in it, to be described and executed.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "cache/stores/dir/dir_store.h"
#include "cache/stores/s3/s3_store.h"
#include "rules/code/code_rule.h"
#include "rules/data/data_rule.h"
#include "rules/image/image_rule.h"
#include "rules/image/registries/http/http_registry.h"
#include "rules/image/registries/layout/layout.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {

struct RuleWorld : Inputs {
  MemFileSystem files;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment;
  Host host{files, processes, http, clock, environment};
  Workspace workspace{"/w", "/w/.trainmake", ""};
  Space space;
  StoreRooms rooms{{"dir", make_dir_store}, {"s3", make_s3_store}};
  Tally tally;
  Blobs blobs{files, workspace.cache};
  FileDigests digests{files, clock, workspace.root, workspace.cache, tally};
  std::unique_ptr<FileSets> file_sets = std::make_unique<FileSets>(host, workspace, digests);
  ImageStore store = ImageStore::of(host, workspace);
  std::unique_ptr<Registry> registry = make_layout(host, workspace);
  CodeRule code{blobs, *file_sets};
  DataRule data{{host, workspace, space, rooms, blobs, *file_sets, tally}};
  RegistryRooms registries{make_layout, make_remote_registry};
  ImageRule image{{host, workspace, space, blobs, *file_sets, registries, tally}};
  bool afresh = false;
  std::stop_source stop;
  std::map<TargetId, Artifacts> results;
  std::mutex said_mutex;
  std::string said;  // every message
  std::map<TargetId, std::any> carries;
  Graph graph;

  RuleWorld() {
    for (const char* name : {"one", "two"}) {
      space.services.push_back(
          {"store", name, {{}, {{"url", value(std::string("dir:bucket-") + name)}}}, {}});
      space.services.push_back(
          {"registry", name, {{}, {{"url", value(std::string("registry.example.com/") + name)}}}, {}});
    }
    files.put("/w/code/a.py", "print(1)\n");
    files.put("/w/code/b.py", "print(2)\n");
    files.put("/w/data/x.txt", "xxx\n");
    files.put("/w/data/y.txt", "yyy\n");
  }

  static Value value(
      std::variant<std::monostate, bool, std::int64_t, double, std::string, Table, Glob, PlacedPath> data) {
    Value made;
    made.data = std::move(data);
    return made;
  }
  static Value list(const std::vector<std::string>& words) {
    Table table;
    for (const std::string& word : words) table.items.push_back(value(word));
    return value(table);
  }
  static Value glob(const std::string& pattern) { return value(Glob{{pattern}, {}, false}); }
  static Value table(const std::map<std::string, Value>& fields) {
    return value(Table{{}, {fields.begin(), fields.end()}});
  }

  TargetId add(const std::string& kind, const std::map<std::string, Value>& attributes,
               const std::vector<std::pair<std::string, TargetId>>& needs = {}) {
    const auto id = static_cast<TargetId>(graph.targets.size());
    Target target{{"", kind, kind + std::to_string(id)},
                  {{}, {attributes.begin(), attributes.end()}},
                  {"TRAINFILE.lua", 1},
                  {}};
    for (const auto& [attribute, need] : needs) target.needs.push_back({need, attribute, ""});
    graph.ids.emplace(target.label, id);
    graph.targets.push_back(std::move(target));
    return id;
  }

  Rule& rule(TargetId id) {
    const std::string& kind = graph[id].label.kind;
    if (kind == "code") return code;
    if (kind == "data") return data;
    return image;
  }
  Subject subject(TargetId id) { return {graph, id, *this}; }
  Result<Description> describe(TargetId id) { return rule(id).describe(subject(id)); }
  Result<Done> execute(TargetId id) {
    TRY_ASSIGN(const Description description, describe(id));
    return execute(id, description);
  }
  Result<Done> execute(TargetId id, const Description& description) {
    const Doing doing{description.manifest.fingerprint(),
                      stop.get_token(),
                      [this](const Event& event) {
                        const std::lock_guard lock(said_mutex);
                        if (const auto* message = std::get_if<Message>(&event)) said += message->text + "\n";
                      },
                      tally,
                      [](const std::function<void()>& work) { work(); },
                      afresh};
    Result<Done> done = rule(id).execute(subject(id), description, doing);
    if (done) results[id] = done->artifacts;
    return done;
  }
  Record record_of(TargetId id) { return {graph[id].label, {}, {}, results.at(id), 0, "", ""}; }
  bool holds(TargetId id, bool current = true) {
    Looks looks;
    return *rule(id).holds(subject(id), record_of(id), current, looks);
  }

  const Artifacts* artifacts(TargetId target) const override {
    const auto found = results.find(target);
    return found == results.end() ? nullptr : &found->second;
  }
  const std::any* carry(TargetId) const override { return nullptr; }
};

}  // namespace trainmake
