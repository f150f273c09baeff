// Targets and what they need: checked, acyclic, in an order in which everything comes after what it needs.
// The output of `resolve`. Knows schemas, not what kinds mean.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/model/label.h"
#include "engine/model/project.h"
#include "engine/model/schema.h"

namespace trainmake {

using TargetId = std::uint32_t;

struct Dependency {
  TargetId target = 0;
  std::string attribute;
  std::string channel;
};

struct Target {
  Label label;
  Table attributes;
  Location where;
  std::vector<Dependency> needs;
  std::string project = {};  // as `project { name = ... }` says, or ""

  const Value* find(std::string_view attribute) const { return attributes.find(attribute); }
  std::string string_or(std::string_view attribute, std::string_view otherwise) const;
  bool boolean_or(std::string_view attribute, bool otherwise) const;
  std::vector<std::string> strings(std::string_view attribute) const;  // of one string, or of a list
  const Fields& fields(std::string_view attribute) const;
  // The line of an attribute in this target's file, else of the target.
  Location place_of(std::string_view attribute) const;
};

struct Graph {
  std::vector<Target> targets;  // needed ones come before those that need them
  std::vector<TargetId> asked;  // what was asked for, in order, each once

  std::optional<TargetId> find(const Label& label) const;
  const Target& operator[](TargetId id) const { return targets[id]; }
  std::vector<std::vector<TargetId>> needed_by() const;

  std::unordered_map<Label, TargetId> ids;
};

// Grows a graph from what was asked for, one wave of projects at a time, so that only those are read that a
// label needs:
//   Resolver resolver(schemas, "here");
//   resolver.ask(patterns);
//   while (auto folders = resolver.missing(); !folders.empty()) for (f : folders) resolver.add(load(f));
//   resolver.finish()
class Resolver {
 public:
  Resolver(std::vector<const Schema*> schemas, std::string here);

  // A recursive pattern fits every project that is added, and asks for no others: the caller finds those.
  void ask(std::vector<Pattern> patterns);
  void add(Project project);
  // Folders of projects that are needed and were not added, sorted. Empty when there is nothing more to read.
  std::vector<std::string> missing();
  // The folder has no TRAINFILE.lua: labels that name it become errors.
  void add_absent(const std::string& folder);

  struct Outcome {
    Graph graph;
    std::vector<Error>
        errors;  // by file and line; then the graph has what nothing is wrong with, nothing asked
    Looks looks;
  };
  Outcome finish();

 private:
  const Schema* schema_of(std::string_view kind) const;
  void demand(const Label& label);
  void demand_patterns();
  void follow(const Label& label, const Declaration& declaration);
  bool known_broken(const std::string& folder) const;
  Error dangling(const Label& label, std::string_view from) const;
  void check_uses(const Label& label, const Declaration& declaration);
  void check_request(std::vector<Label>& asked);
  std::vector<Label> sound() const;
  bool build(const std::vector<Label>& asked, Graph& graph);

  std::vector<const Schema*> schemas_;
  std::string here_;
  std::vector<Pattern> patterns_;
  std::map<std::string, Project> projects_;
  std::set<std::string> absent_;
  std::set<std::string> wanted_;  // folders that labels name
  std::unordered_map<Label, const Declaration*> declared_;
  std::unordered_map<Label, bool> demanded_;  // true: what it needs was demanded too
  std::vector<Label> pending_;
  std::vector<Error> errors_;
  std::set<Label> wrong_;  // errors of theirs are among these
};

}  // namespace trainmake
