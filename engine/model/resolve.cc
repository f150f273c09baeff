// From declarations to a graph. Every error that the files hold is collected; nothing is built on a graph
// with errors.
#include <algorithm>

#include "engine/base/text.h"
#include "engine/model/graph.h"

namespace trainmake {
namespace {

std::string calls_text(const Declaration& declaration) {
  std::string text;
  for (const Location& call : declaration.called_from)
    text += cat(text.empty() ? "Called from " : ", from ", call.text());
  return text;
}

std::string joined(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return a + b;
  return cat(a, a.ends_with('?') ? " " : ". ", b);
}

constexpr int kMostCircles = 100;

bool before(const Error& a, const Error& b) {
  return std::tie(a.where.file, a.where.line) < std::tie(b.where.file, b.where.line);
}

// A loop declares many targets with one mistake. REQUIRES: sorted by place.
std::vector<Error> each_once(std::vector<Error> errors) {
  std::vector<Error> kept;
  std::map<std::string, std::pair<std::size_t, int>> first;  // by message, of one place: where, how often
  const auto finish_place = [&] {
    for (const auto& [message, told] : first) {
      if (told.second > 1)
        kept[told.first].hint = joined(kept[told.first].hint, cat("The same ", told.second, " times"));
    }
    first.clear();
  };
  for (Error& error : errors) {
    if (!kept.empty() && !(kept.back().where == error.where)) finish_place();
    const auto [at, is_new] = first.emplace(error.message, std::pair(kept.size(), 0));
    ++at->second.second;
    if (is_new) kept.push_back(std::move(error));
  }
  finish_place();
  return kept;
}

}  // namespace

Resolver::Resolver(std::vector<const Schema*> schemas, std::string here)
    : schemas_(std::move(schemas)), here_(std::move(here)) {}

const Schema* Resolver::schema_of(std::string_view kind) const {
  const auto found = std::find_if(schemas_.begin(), schemas_.end(),
                                  [&](const Schema* schema) { return schema->kind == kind; });
  return found == schemas_.end() ? nullptr : *found;
}

void Resolver::ask(std::vector<Pattern> patterns) {
  patterns_ = std::move(patterns);
  for (const Pattern& pattern : patterns_) {
    if (!pattern.recursive) wanted_.insert(pattern.folder);
  }
}

void Resolver::add_absent(const std::string& folder) { absent_.insert(folder); }

void Resolver::add(Project project) {
  const Project& added = projects_[project.folder] = std::move(project);
  for (const Error& error : added.errors) errors_.push_back(error);
  for (const Declaration& declaration : added.declarations) {
    const Label label{added.folder, declaration.kind, declaration.name};
    if (const std::string why = wrong_name(declaration.name); !why.empty()) {
      errors_.push_back(
          user_error(cat("The name of ", quoted(cat(declaration.kind, ":", declaration.name)), " ", why))
              .at(declaration.where));
      continue;
    }
    declared_.emplace(label, &declaration);
    if (!declaration.is_whole) wrong_.insert(label);
    const Schema* schema = schema_of(declaration.kind);
    if (schema == nullptr) continue;
    for (Error& error : check(*schema, declaration.attributes, declaration.where,
                              cat(declaration.kind, ":", declaration.name))) {
      error.hint = joined(error.hint, calls_text(declaration));
      errors_.push_back(std::move(error));
      wrong_.insert(label);
    }
  }
}

void Resolver::demand(const Label& label) {
  if (demanded_.emplace(label, false).second) pending_.push_back(label);
}

void Resolver::demand_patterns() {
  for (const Pattern& pattern : patterns_) {
    if (pattern.is_label()) {
      demand(pattern.label());
      continue;
    }
    for (const auto& [folder, project] : projects_) {
      if (!pattern.fits_folder(folder)) continue;
      for (const Declaration& declaration : project.declarations) {
        if (const Label label{folder, declaration.kind, declaration.name}; pattern.fits(label)) demand(label);
      }
    }
  }
}

void Resolver::follow(const Label& label, const Declaration& declaration) {
  const Schema* schema = schema_of(declaration.kind);
  if (schema == nullptr) return;
  for (const LabelUse& need : label_uses(*schema, declaration.attributes)) {
    if (Result<Label> needed = parse_label(need.text, label.folder)) demand(*needed);
  }
}

std::vector<std::string> Resolver::missing() {
  demand_patterns();
  std::vector<Label> waiting;
  while (!pending_.empty()) {
    const Label label = std::move(pending_.back());
    pending_.pop_back();
    if (!projects_.contains(label.folder) && !absent_.contains(label.folder)) {
      wanted_.insert(label.folder);
      waiting.push_back(label);
      continue;
    }
    const auto found = declared_.find(label);
    if (found != declared_.end()) follow(label, *found->second);
    demanded_[label] = true;
  }
  pending_ = std::move(waiting);
  std::vector<std::string> folders;
  for (const std::string& folder : wanted_) {
    if (!projects_.contains(folder) && !absent_.contains(folder)) folders.push_back(folder);
  }
  return folders;
}

// What is missing from a file that did not run to its end is no news.
bool Resolver::known_broken(const std::string& folder) const {
  const auto found = projects_.find(folder);
  return found != projects_.end() && !found->second.is_whole;
}

Error Resolver::dangling(const Label& label, std::string_view from) const {
  if (absent_.contains(label.folder)) {
    return user_error(
        cat("There is no ", quoted(label.shortest_from(from)), ": folder ",
            quoted(label.folder.empty() ? "." : label.folder), " has no TRAINFILE.lua"),
        "`trainmake query //...` lists every target of the workspace; `trainmake new NAME` makes a project");
  }
  std::vector<std::string> all;
  std::vector<std::string>
      meant;  // the right name of another kind, or nearly the right name of the right kind
  std::vector<std::string> same_kind;
  for (const auto& [other, declaration] : declared_) {
    if (other.folder != label.folder) continue;
    all.push_back(other.shortest_from(from));
    if (other.name == label.name) meant.push_back(quoted(all.back()));
    if (other.kind == label.kind) same_kind.push_back(all.back());
  }
  std::sort(meant.begin(), meant.end());
  std::sort(all.begin(), all.end());
  std::sort(same_kind.begin(), same_kind.end());
  if (const std::optional<std::string> near = nearest(label.shortest_from(from), same_kind)) {
    meant.insert(meant.begin(), quoted(*near));
  } else if (same_kind.size() == 1) {
    meant.push_back(quoted(same_kind.front()));
  }
  std::string hint;
  if (!meant.empty()) {
    hint = cat("Did you mean ", join(meant, " or "), "?");
  } else if (all.empty()) {
    hint = "Its TRAINFILE.lua declares no targets";
  } else {
    all.resize(std::min<std::size_t>(all.size(), 8));
    hint = cat("There are ", join(all, ", "));
  }
  return user_error(cat("There is no target ", quoted(label.shortest_from(from))), std::move(hint));
}

// The labels in a declaration: well-formed, of a kind that may stand there, and naming something where that
// can be told.
void Resolver::check_uses(const Label& label, const Declaration& declaration) {
  const Schema* schema = schema_of(declaration.kind);
  if (schema == nullptr) return;
  const std::size_t known = errors_.size();
  for (const LabelUse& need : label_uses(*schema, declaration.attributes)) {
    const Location where{declaration.where.file, need.line != 0 ? need.line : declaration.where.line};
    const std::string said =
        cat("Attribute ", quoted(need.attribute), " of ", quoted(label.shortest_from(label.folder)));
    Result<Label> needed = parse_label(need.text, label.folder);
    if (!needed) {
      Error error = std::move(needed).error();
      errors_.push_back(user_error(cat(said, ": ", error.message), error.hint).at(where));
      continue;
    }
    const std::vector<std::string>& kinds = schema->find(need.attribute)->labels;
    if (std::find(kinds.begin(), kinds.end(), needed->kind) == kinds.end()) {
      errors_.push_back(user_error(cat(said, " is wrong: expected a label of ", join(kinds, " or "), ", got ",
                                       quoted(need.text)))
                            .at(where));
    } else if ((projects_.contains(needed->folder) || absent_.contains(needed->folder)) &&
               !declared_.contains(*needed) && !known_broken(needed->folder)) {
      Error error = dangling(*needed, label.folder);
      error.where = where;
      error.hint = joined(error.hint, calls_text(declaration));
      errors_.push_back(std::move(error));
    }
  }
  if (errors_.size() > known) wrong_.insert(label);
}

void Resolver::check_request(std::vector<Label>& asked) {
  for (const Pattern& pattern : patterns_) {
    if (pattern.is_label()) {
      const Label label = pattern.label();
      if (declared_.contains(label))
        asked.push_back(label);
      else if (!known_broken(label.folder))
        errors_.push_back(dangling(label, here_));
      continue;
    }
    std::vector<Label> fitting;
    for (const auto& [label, declaration] : declared_) {
      if (pattern.fits(label)) fitting.push_back(label);
    }
    std::sort(fitting.begin(), fitting.end());
    if (fitting.empty() && errors_.empty()) {
      errors_.push_back(user_error(
          cat("Nothing fits ", quoted(pattern.text())),
          declared_.empty()
              ? "No project that it names declares a target; `trainmake new NAME` makes one that does"
              : "`trainmake query //...` lists every target of the workspace"));
    }
    asked.insert(asked.end(), fitting.begin(), fitting.end());
  }
}

// Of what was demanded, those that could be built: nothing is wrong with them nor with anything they need.
std::vector<Label> Resolver::sound() const {
  std::map<Label, std::vector<Label>> needed_by;
  std::vector<Label> waiting;
  std::vector<Label> demanded;
  for (const auto& [label, followed] : demanded_) {
    const auto found = declared_.find(label);
    const Schema* schema = found == declared_.end() ? nullptr : schema_of(label.kind);
    if (schema == nullptr || wrong_.contains(label)) {
      waiting.push_back(label);
      continue;
    }
    demanded.push_back(label);
    for (const LabelUse& need : label_uses(*schema, found->second->attributes)) {
      const Result<Label> needed = parse_label(need.text, label.folder);
      if (needed && demanded_.contains(*needed))
        needed_by[*needed].push_back(label);
      else
        waiting.push_back(label);
    }
  }
  std::set<Label> unsound;
  while (!waiting.empty()) {
    const Label label = std::move(waiting.back());
    waiting.pop_back();
    if (!unsound.insert(label).second) continue;
    const auto above = needed_by.find(label);
    if (above != needed_by.end()) waiting.insert(waiting.end(), above->second.begin(), above->second.end());
  }
  std::erase_if(demanded, [&](const Label& label) { return unsound.contains(label); });
  std::sort(demanded.begin(), demanded.end());
  return demanded;
}

// Depth first, without recursion (a chain may be as long as the file), so that what is needed comes before
// what needs it. False at the first circle, which is told, and whose targets are known to be wrong then.
bool Resolver::build(const std::vector<Label>& asked, Graph& graph) {
  struct Frame {
    Label label;
    std::vector<std::pair<LabelUse, Label>> needs;
    std::size_t next = 0;
  };
  std::vector<Frame> path;
  std::set<Label> on_path;
  const auto enter = [&](const Label& label) {
    const Declaration& declaration = *declared_.at(label);
    Frame frame{label, {}, 0};
    for (LabelUse& need : label_uses(*schema_of(label.kind), declaration.attributes)) {
      Label needed = *parse_label(need.text, label.folder);
      frame.needs.emplace_back(std::move(need), std::move(needed));
    }
    path.push_back(std::move(frame));
    on_path.insert(label);
  };
  const auto leave = [&] {
    Frame& frame = path.back();
    const Declaration& declaration = *declared_.at(frame.label);
    Target target{
        frame.label, declaration.attributes, declaration.where, {}, projects_.at(frame.label.folder).name};
    for (auto& [need, needed] : frame.needs)
      target.needs.push_back({graph.ids.at(needed), need.attribute, need.channel});
    graph.ids.emplace(frame.label, static_cast<TargetId>(graph.targets.size()));
    graph.targets.push_back(std::move(target));
    on_path.erase(frame.label);
    path.pop_back();
  };
  for (const Label& label : asked) {
    if (!graph.ids.contains(label)) enter(label);
    while (!path.empty()) {
      Frame& frame = path.back();
      if (frame.next == frame.needs.size()) {
        leave();
        continue;
      }
      const Label needed = frame.needs[frame.next++].second;
      if (graph.ids.contains(needed)) continue;
      if (!on_path.contains(needed)) {
        enter(needed);
        continue;
      }
      const auto start =
          std::find_if(path.begin(), path.end(), [&](const Frame& f) { return f.label == needed; });
      std::string circle;
      for (auto at = start; at != path.end(); ++at) {
        circle += cat("`", at->label.shortest_from(here_), "` needs ");
        wrong_.insert(at->label);
      }
      errors_.push_back(user_error(cat("Targets need each other in a circle: ", circle, "`",
                                       needed.shortest_from(here_), "`"),
                                   "One of these must not need the next")
                            .at(declared_.at(needed)->where));
      return false;
    }
  }
  return true;
}

Resolver::Outcome Resolver::finish() {
  Outcome outcome;
  for (const auto& [folder, project] : projects_) {
    for (const Declaration& declaration : project.declarations) {
      if (wrong_name(declaration.name).empty())
        check_uses({folder, declaration.kind, declaration.name}, declaration);
    }
    outcome.looks.add(project.looks);
  }
  std::vector<Label> asked;
  check_request(asked);
  for (int circles = 0; !build(errors_.empty() ? asked : sound(), outcome.graph); ++circles) {
    outcome.graph = {};
    if (circles == kMostCircles) break;
  }
  std::set<TargetId> seen;
  if (errors_.empty()) {
    for (const Label& label : asked) {
      if (const TargetId id = outcome.graph.ids.at(label); seen.insert(id).second)
        outcome.graph.asked.push_back(id);
    }
  }
  std::stable_sort(errors_.begin(), errors_.end(), before);
  outcome.errors = each_once(std::move(errors_));
  return outcome;
}

}  // namespace trainmake
