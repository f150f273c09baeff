#include "rules/job/job_rule.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "engine/base/secrets.h"
#include "engine/base/text.h"
#include "engine/model/secrets_untold.h"
#include "rules/job/arguments.h"
#include "rules/job/asked_again.h"
#include "rules/job/check_processes.h"
#include "rules/job/contracts.h"
#include "rules/job/distribution.h"
#include "rules/job/entry.h"
#include "rules/job/job_schema.h"
#include "rules/job/new_limits.h"
#include "rules/job/outputs.h"
#include "rules/job/parameters.h"
#include "rules/job/program_check.h"
#include "rules/job/published_base.h"
#include "rules/job/runs.h"

namespace trainmake {
namespace {

void add_attributes(const Target& target, Manifest& manifest) {
  for (const char* attribute : {"args", "params"}) {
    for (const auto& [name, value] : target.fields(attribute))
      manifest.add(Section::kAttr, cat(attribute, ".", name), digest_of_parameter(value));
  }
  for (const char* attribute : {"solver", "snapshot", "train_params"}) {
    if (const Value* value = target.find(attribute))
      manifest.add(Section::kAttr, attribute, digest_of(*value));
  }
  // They are text to whoever reads them: 1 and "1" are the same.
  for (const auto& [name, value] : target.fields("env"))
    manifest.add(Section::kAttr, cat("env.", name), scalar_text(value));
  const Value* resources = target.find("resources");
  for (const auto& [name, otherwise] : kCountedResources) {
    Value value;
    value.data = otherwise;
    const Value* said =
        resources != nullptr && resources->table() != nullptr ? resources->table()->find(name) : nullptr;
    manifest.add(Section::kAttr, cat("resources.", name), digest_of(said != nullptr ? *said : value));
  }
  const Table* said = resources != nullptr ? resources->table() : nullptr;
  // How many accelerators, and not what they are: that only says where it runs.
  if (said != nullptr && said->find("node_type") != nullptr)
    manifest.add(Section::kAttr, "resources.node_type", cat("=", accelerators_of(*said)));
  if (const Value* distribution = target.find("distribution"))
    manifest.add(Section::kAttr, "distribution", digest_of(distribution_value(*distribution)));
}

void add_upstream(const Subject& subject, Description& description) {
  struct Use {
    std::string channel;
    std::optional<Digest128> identity;
    auto operator<=>(const Use&) const = default;
  };
  std::map<std::string, std::vector<Use>> uses;
  for (const Dependency& need : subject.target().needs) {
    const std::optional<Digest128> identity = identity_of(subject, need);
    if (!identity) description.certain = false;
    uses[subject.graph[need.target].label.text()].push_back({need.channel, identity});
  }
  for (auto& [label, of_label] : uses) {
    std::sort(of_label.begin(), of_label.end());
    Hasher hasher;
    for (const auto& [channel, identity] : of_label) {
      hasher.field(channel).number(identity ? 1 : 0);
      if (identity) hasher.number(identity->high).number(identity->low);
    }
    description.manifest.add(Section::kUpstream, label, hasher.finish());
  }
}

// What no platform does yet is told, not passed over: a check that never runs must not look like one that
// passed.
Result<void> check_supported(const Target& target, const PlatformTraits& traits) {
  TRY_ASSIGN(const bool is_distributed, check_processes(target, traits));
  const Value* resources = target.find("resources");
  const Value* nodes = resources != nullptr ? resources->table()->find("nodes") : nullptr;
  const bool many = nodes != nullptr && nodes->is_number() && *parse_number(scalar_text(*nodes)) > 1;
  if (many && traits.one_node && !is_distributed) {
    return fail(
        user_error(cat("This platform is one node, and ", quoted(scalar_text(*nodes)), " were asked for"),
                   "Give it a `distribution`, with which nodes are played here, choose another platform with "
                   "`--platform`, or ask for `nodes = 1`")
            .at(target.place_of("resources")));
  }
  return {};
}

}  // namespace

JobRule::JobRule(JobServices services)
    : services_(std::move(services)),
      listings_(services_.blobs),
      python_(services_.host),
      courses_(services_, listings_) {}

const Schema& JobRule::schema() const { return job_schema(); }

Result<Description> JobRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  TRY(check_supported(target, services_.platform.traits));
  TRY(check_arguments_said_once(target));
  TRY(check_secrets_untold(services_.host.environment, target));
  TRY_ASSIGN(const Entry entry, entry_of(listings_, services_, subject, Files::kForeseen));
  TRY(check_data(subject));

  Description description;
  Manifest& manifest = description.manifest;
  add_attributes(target, manifest);
  for (const auto& [name, path] : declared_outputs(target))
    manifest.add(Section::kAttr, cat("outputs.", name), path);
  const Value* command = target.find("command");
  if (command != nullptr) manifest.add(Section::kAttr, "command", digest_of(*command));
  if (!entry.main.empty()) manifest.add(Section::kAttr, "main", cat("=", entry.main));
  if (resumes(target)) manifest.add(Section::kAttr, "resume", "true");
  add_upstream(subject, description);
  if (tells_framework(services_.platform.traits.contract))
    manifest.add(Section::kPlatform, "framework", framework_of(subject.graph, target));
  manifest.add(
      Section::kPlatform, "platform",
      Hasher().field(services_.platform_name).field(services_.platform.traits.contract.version).finish());
  manifest.seal();
  description.work.jobs = 1;
  return description;
}

std::vector<std::pair<Error, Label>> JobRule::before_run(const Graph&, const EventSink& events) {
  asking_ = Asking::kPlatform;
  tell_ = events;
  return {};
}

// Nothing else is told of meanwhile: the whole plan waits for it.
Result<void> JobRule::ask_platform(const Subject& subject, const Applicant& job) {
  constexpr std::chrono::milliseconds kSoon{1'000};
  const EventSink tell = std::exchange(tell_, nullptr);
  if (!tell || services_.platform.traits.is_near) return check_platform(services_, job, asking_);
  const std::jthread teller([&](const std::stop_token& answered) {
    if (!services_.host.clock.wait(kSoon, answered))
      tell(Message{subject.target().label,
                   cat("Platform ", quoted(services_.platform_name), " is asked, and has not answered yet")});
  });
  return check_platform(services_, job, asking_);
}

Result<void> JobRule::preflight(const Subject& subject) {
  const Applicant job = applicant_of(services_, subject);
  TRY_ASSIGN(const Entry entry, entry_of(listings_, services_, subject, Files::kForeseen));
  auto ready = ask_platform(subject, job);
  if (ready) ready = check_lacks(subject, job, entry);
  if (!ready) {
    TRY_ASSIGN(const bool may_be_reused, this->may_be_reused(subject));
    if (!may_be_reused) return ready;
  }
  return check_before(services_, listings_, python_, subject, entry);
}

// What a run would lack that is begun now. One that goes on has it.
Result<void> JobRule::check_lacks(const Subject& subject, const Applicant& job, const Entry& entry) {
  const Label& label = subject.target().label;
  auto ready = check_known_program(services_, subject, entry);
  if (ready) ready = check_paid_variant(services_, subject);
  // They are of who runs it: a plan, which others make too, has no need of them.
  if (ready && asking_ == Asking::kPlatform) {
    auto secrets =
        secrets_of(services_.host.environment, job.secrets, label.shortest_from(services_.workspace.here));
    if (!secrets) ready = fail(std::move(secrets).error().at(job.secrets_at));
  }
  if (ready) return {};
  TRY_ASSIGN(const std::vector<Run> runs, services_.runs.of(label));
  const bool goes_on =
      std::any_of(runs.begin(), runs.end(), [](const Run& run) { return !is_over(run.status); });
  return goes_on ? Result<void>() : std::move(ready);
}

// What it needs is not made yet, and may come out as it was for an earlier result: that is taken whether or
// not the job could run here.
Result<bool> JobRule::may_be_reused(const Subject& subject) {
  const std::vector<Dependency>& needs = subject.target().needs;
  if (std::all_of(needs.begin(), needs.end(),
                  [&](const Dependency& need) { return identity_of(subject, need).has_value(); }))
    return false;
  TRY_ASSIGN(const std::vector<Run> runs, services_.runs.of(subject.target().label));
  TRY_ASSIGN(const Description now, describe(subject));
  for (const Run& run : runs) {
    if (run.status != RunStatus::kSucceeded || !run.reusable) continue;
    TRY_ASSIGN(const bool could_be, could_be_of(subject, now, run));
    if (could_be) return true;
  }
  return false;
}

// Whether all that is known of the job by now is as that run had it.
Result<bool> JobRule::could_be_of(const Subject& subject, const Description& now, const Run& run) {
  std::set<std::string> unknown;
  for (const Dependency& need : subject.target().needs) {
    if (!identity_of(subject, need)) unknown.insert(subject.graph[need.target].label.text());
  }
  const auto known = [&](const Manifest& manifest) {
    std::vector<ManifestLine> lines = manifest.lines();
    std::erase_if(lines, [&](const ManifestLine& line) {
      return line.section == Section::kUpstream && unknown.contains(line.name);
    });
    return lines;
  };
  if (known(now.manifest) != known(run.manifest)) return false;
  TRY_ASSIGN(const std::optional<std::set<std::string>> before, code_given_to(listings_, run));
  const std::optional<std::set<std::string>> code = code_foreseen(subject);
  return !before || !code || *before == *code;
}

// Looks at the lists of files only when there are two of them, and at the same ones only once.
Result<void> JobRule::check_data(const Subject& subject) {
  const std::vector<const Dependency*> uses = data_of(subject.target());
  if (uses.size() < 2) return {};
  Hasher hasher;
  bool all_known = true;
  std::vector<GivenTree> trees;
  for (const Dependency* need : uses) {
    const std::optional<Digest128> identity = identity_of(subject, *need);
    all_known = all_known && identity;
    if (!identity) continue;
    hasher.field(subject.graph[need->target].label.text())
        .field(need->channel)
        .number(identity->high)
        .number(identity->low);
  }
  const Digest128 combination = hasher.finish();
  {
    std::lock_guard lock(mutex_);
    if (checked_.contains(combination)) return {};
  }
  for (const Dependency* need : uses) {
    TRY_ASSIGN(std::optional<GivenTree> tree, tree_of(listings_, subject, *need, Files::kForeseen));
    if (tree) trees.push_back(std::move(*tree));
  }
  if (auto apart = check_paths(trees, services_.workspace.here); !apart)
    return fail(std::move(apart).error().at(subject.target().place_of("data")));
  if (!all_known || trees.size() != uses.size()) return {};
  std::lock_guard lock(mutex_);
  checked_.insert(combination);
  return {};
}

Result<JobSpec> JobRule::spec_of(const Subject& subject, const Doing& doing) {
  return courses_.spec_of(subject, doing);
}

Result<Done> JobRule::execute(const Subject& subject, const Description& description, const Doing& doing) {
  return courses_.run(subject, description, doing);
}

Result<bool> JobRule::holds(const Subject& subject, const Record& record, bool current, Looks& looks) {
  (void)subject, (void)current;
  std::vector<std::pair<std::string, Stat>> looked_at;
  TRY_ASSIGN(const bool kept, are_kept(services_.host.files, services_.blobs, record.artifacts, looked_at));
  for (auto& [path, stat] : looked_at)
    looks.files.push_back({path_below(path, services_.workspace.root).value_or(path), stat, std::nullopt});
  if (!kept || record.run.empty()) return kept;
  TRY_ASSIGN(const std::optional<Run> run, services_.runs.get(record.run));
  return !run || run->reusable;
}

Result<std::optional<Error>> JobRule::failed_before(const Subject& subject, const Description& description) {
  const Target& target = subject.target();
  TRY_ASSIGN(const std::vector<Run> runs,
             services_.runs.of(target.label, description.manifest.fingerprint()));
  if (runs.empty()) return std::optional<Error>();
  const Run& run = runs.front();
  const bool failed = has_failed(run) && failed_of_round(runs, retries_of(target)) == 0;
  if (!failed && run.status != RunStatus::kCancelled) return std::optional<Error>();
  const Redactor redactor = redactor_of(services_.host.environment, target.strings("secrets"));
  const LastLines last_lines = last_lines_of(services_.platform, run, redactor);
  const std::string label = target.label.shortest_from(services_.workspace.here);
  const Telling telling{asked_again(label, run, services_.space), true, new_limits(target, run)};
  return std::optional<Error>(failure_of(run, label, last_lines, telling).at(target.where));
}

}  // namespace trainmake
