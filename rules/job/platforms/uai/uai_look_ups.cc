#include "rules/job/platforms/uai/uai_look_ups.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "engine/base/hash.h"
#include "engine/base/letter_case.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::int64_t kTrouble_ns = 20LL * 1'000'000'000;
constexpr std::int64_t kDay_ns = 24LL * 3600 * 1'000'000'000;

// Which of `all` is called so, in whatever case.
std::optional<std::int64_t> find_id(const std::vector<UaiNamed>& all, const std::string& name) {
  for (const UaiNamed& each : all) {
    if (lower_case(each.name) == lower_case(name)) return each.id;
  }
  return std::nullopt;
}

Error no_such(const std::vector<UaiNamed>& all, const std::string& name, const std::string& what) {
  std::vector<std::string> names;
  for (const UaiNamed& each : all) names.push_back(quoted(each.name));
  const std::string there = names.empty() ? "none" : join(names, ", ");
  return user_error(cat("UAI-Train has no ", what, " ", quoted(name), " here"),
                    cat("There is ", there, "; another `region`, `zone` or `project_id` may have others"));
}

// What is behind its first line, which says when it was asked for.
std::optional<std::string> of_today(std::string_view kept, std::int64_t now_ns) {
  const std::size_t line = std::min(kept.find('\n'), kept.size());
  const auto when_ns = whole_number<std::int64_t>(kept.substr(0, line));
  if (!when_ns || line == kept.size() || now_ns < *when_ns || now_ns - *when_ns >= kDay_ns)
    return std::nullopt;
  return std::string(kept.substr(line + 1));
}

}  // namespace

// REQUIRES: the lock is held. What cannot be read, or names nothing, is not kept.
Result<UaiLookUps::Names> UaiLookUps::ask(const Question& question, const Parse& parse,
                                          const std::string& kept_at, const Patience& waiting) {
  if (trouble_ && host_.clock.steady_ns() < trouble_until_ns_) return fail(*trouble_);
  const std::int64_t now_ns = host_.clock.now_ns();
  auto body = api_.look(question.action, question.parameters, question.doing, waiting);
  if (!body && body.error().blame == Blame::kInterrupted) return fail(std::move(body).error());
  auto names = body ? parse(*body) : Result<Names>(fail(body.error()));
  trouble_ = names ? std::nullopt : std::optional(names.error());
  trouble_until_ns_ = host_.clock.steady_ns() + kTrouble_ns;
  asked_ns_[kept_at] = host_.clock.steady_ns();
  if (names && !names->empty()) TRY(write_file(host_.files, kept_at, cat(now_ns, "\n", *body)));
  return names;
}

// As it was answered within a day, at this place. A name that is not among these is asked for once more.
Result<std::int64_t> UaiLookUps::id_of(const Question& question, const Parse& parse, const std::string& name,
                                       const std::string& what, const Patience& waiting) {
  TRY_ASSIGN(std::string asked, api_.place());
  asked += cat("\n", question.action);
  for (const auto& [parameter, value] : question.parameters) asked += cat("\n", parameter, "=", value);
  const std::string path = path_join(folder_, digest_of(asked).hex());
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(const std::optional<std::string> file, read_file_if_there(host_.files, path));
  if (const auto fresh = of_today(file.value_or(""), host_.clock.now_ns())) {
    const Result<Names> kept = parse(*fresh);
    const std::optional<std::int64_t> id = kept ? find_id(*kept, name) : std::nullopt;
    if (id) return *id;
    const auto before = asked_ns_.find(path);
    if (kept && before != asked_ns_.end() && host_.clock.steady_ns() - before->second < kTrouble_ns)
      return fail(no_such(*kept, name, what));
  }
  TRY_ASSIGN(const Names names, ask(question, parse, path, waiting));
  if (const std::optional<std::int64_t> id = find_id(names, name)) return *id;
  return fail(no_such(names, name, what));
}

Result<UaiIds> UaiLookUps::of(const UaiWants& wants, const Patience& waiting) {
  const auto by = [](const char* id, const char* name) {
    return [id, name](const std::string& body) { return parse_uai_named(body, id, name); };
  };
  UaiIds ids;
  const char* mode = wants.nodes > 1 ? "Distributed" : "StandAlone";
  TRY_ASSIGN(ids.mode, id_of({"GetUAITrainAvailableTrainMode", {}, "look for modes"},
                             by("TrainModeId", "TrainModeName"), mode, "mode", waiting));
  const std::string mode_id = cat(ids.mode);
  TRY_ASSIGN(ids.machine, id_of({"GetUAITrainAvailableResource",
                                 {{"TrainModeId", mode_id}, {"NodeType", "Work"}},
                                 "look for machines"},
                                parse_uai_machines, wants.node_type, "machine", waiting));
  TRY_ASSIGN(
      ids.backend,
      id_of({"GetUAITrainAvailableBackend", {{"TrainModeId", mode_id}}, "look for stores"},
            by("DataBackendId", "DataBackendName"), wants.is_on_ufs ? "UFS" : "UFile", "store", waiting));
  if (wants.framework.empty()) return ids;
  TRY_ASSIGN(
      ids.framework,
      id_of({"GetUAITrainAvailableDistAIFramework", {{"TrainModeId", mode_id}}, "look for frameworks"},
            by("DistAIFrameId", "DistAIFrameName"), wants.framework, "framework for several nodes", waiting));
  return ids;
}

void UaiLookUps::forget() {
  const std::lock_guard lock(mutex_);
  (void)host_.files.remove(folder_);
}

}  // namespace trainmake
