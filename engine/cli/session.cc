#include "engine/cli/session.h"

#include "engine/base/text.h"
#include "engine/cli/hold.h"
#include "engine/cli/report.h"
#include "lua/load.h"
#include "rules/all.h"
#include "rules/image/services.h"
#include "rules/job/contracts.h"
#include "rules/job/platform.h"

namespace trainmake {
namespace {

constexpr const char* kLocal = "local";

void check_services(Space& space) {
  for (const Schema* schema : service_schemas()) {
    for (const Service& service : space.services) {
      if (service.kind != schema->kind) continue;
      const std::string what = service.name.empty() ? service.kind : cat(service.kind, " ", service.name);
      for (Error& error : check(*schema, service.attributes, service.where, what)) {
        space.errors.push_back(std::move(error));
      }
    }
  }
  if (!space.errors.empty()) return;
  space.errors = wrong_services(space);
}

Result<std::string> name_of_this_machine(const Space& space, const CommandLine& line) {
  if (line.has("--platform"))
    return fail(user_error("`--local` and `--platform` name two platforms", "Leave one of them out"));
  const Service* service = space.find("platform", kLocal);
  const std::string* type = service == nullptr ? nullptr : service->text("type");
  if (type == nullptr || *type == kLocal) return std::string(kLocal);
  return fail(user_error(cat("Platform `local` is not this machine: its type is ", quoted(*type)),
                         "Give it another name, and `--local` works")
                  .at(service->where));
}

// `--local` is the job as it would be on its platform, unless this machine is declared as something else.
std::optional<std::string> contract_asked_for(const Space& space, const CommandLine& line) {
  if (line.value("--contract") || !line.has("--local")) return line.value("--contract");
  const Service* local = space.find("platform", kLocal);
  if (local != nullptr && local->text("contract") != nullptr) return std::nullopt;
  return usual_contract_of(space.find("platform", space.default_platform));
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(CommandLine line, const Environment& environment) {
  const Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  const std::string folder =
      line.value("--directory") ? absolute_path(*line.value("--directory")) : current_folder();
  TRY_ASSIGN(const Stat stat, host.files.look(folder, Links::kFollow));
  if (!stat.is(FileKind::kFolder)) return fail(user_error(cat("There is no folder ", quoted(folder))));
  TRY_ASSIGN(Position position, find_workspace(host, folder, line.value("--cache-dir").value_or("")));
  return std::unique_ptr<Session>(new Session(std::move(line), environment, std::move(position)));
}

Session::Session(CommandLine line, const Environment& environment, Position position)
    : line_(std::move(line)),
      environment_(environment),
      host_{real_file_system(), real_processes(), real_http(), real_clock(), environment_},
      position_(std::move(position)),
      began_ns_(host_.clock.steady_ns()),
      blobs_(host_.files, workspace().cache),
      digests_(host_.files, host_.clock, workspace().root, workspace().cache, tally_),
      file_sets_(host_, workspace(), digests_),
      step_locks_(path_join(workspace().cache, "locks/steps")) {}

Session::~Session() = default;

void Session::finish(Reporter& reporter, Summary summary) {
  summary.duration_ms = (host_.clock.steady_ns() - began_ns_) / 1'000'000;
  reporter.finished(summary, tally_);
}

Result<void> Session::open_state(State::Access access) {
  CHECK(rules_.empty());
  TRY_ASSIGN(state_, State::open(workspace().cache, access));
  return {};
}

State& Session::state() {
  CHECK(state_ != nullptr);
  return *state_;
}

Result<const Space*> Session::space() {
  if (!space_) {
    space_ = load_space(host_, workspace().root);
    check_services(*space_);
    const std::string chosen = line_.value("--platform").value_or(space_->default_platform);
    if (space_->errors.empty() && !line_.has("--local")) take_defaults_of_platform(*space_, chosen);
  }
  if (!space_->errors.empty()) return fail(space_->errors.front());
  return &*space_;
}

Result<std::string> Session::platform_name() {
  TRY_ASSIGN(const Space* space, Session::space());
  if (line_.has("--local")) return name_of_this_machine(*space, line_);
  const std::string name =
      line_.value("--platform").value_or(space->default_platform.empty() ? kLocal : space->default_platform);
  if (name != kLocal && space->find("platform", name) == nullptr) {
    std::vector<std::string> names = space->names("platform");
    names.emplace_back(kLocal);
    const std::string meant = did_you_mean(name, names);
    return fail(user_error(
        cat("There is no platform ", quoted(name)),
        meant.empty() ? cat("There are ", join(names, ", "), "; platforms are declared in TRAINSPACE.lua")
                      : meant));
  }
  return name;
}

std::vector<std::string> Session::stood_for(const Space& space) const {
  if (!line_.has("--local")) return {};
  std::vector<std::string> names;
  const std::optional<std::string> contract = contract_asked_for(space, line_);
  const Service* usual = space.find("platform", space.default_platform);
  const bool is_as_there = contract == usual_contract_of(usual) && contract != usual_contract_of("");
  if (const std::string* type = usual == nullptr ? nullptr : usual->text("type");
      type != nullptr && *type != kLocal && (is_as_there || line_.has("--variant")))
    names = {usual->name, *type};
  if (contract && *contract != usual_contract_of("")) names.push_back(*contract);
  return names;
}

Result<Platform*> Session::platform() {
  TRY_ASSIGN(const std::string name, platform_name());
  return platform_named(name);
}

Result<Platform*> Session::platform_named(const std::string& name) {
  TRY_ASSIGN(const Space* space, Session::space());
  std::unique_ptr<Platform>& platform = platforms_[name];
  if (!platform) {
    PlatformOptions options;
    TRY_ASSIGN(const std::string chosen, platform_name());
    const bool is_asked_for = name == chosen || line_.command->name == "repro";
    if (is_asked_for)
      options = {line_.has("--container"), contract_asked_for(*space, line_),
                 line_.value("--variant").value_or("")};
    TRY_ASSIGN(platform, make_platform(host_, workspace(), *space, blobs_, tally_, name, options));
  }
  return platform.get();
}

const StoreRooms& Session::store_rooms() const { return all_store_rooms(); }

Result<ImageServices> Session::image_services() {
  TRY_ASSIGN(const Space* space, Session::space());
  return ImageServices{host_, workspace(), *space, blobs_, file_sets_, all_registry_rooms(), tally_};
}

std::vector<const Schema*> Session::schemas() { return all_schemas(); }

Result<const Rules*> Session::rules() {
  if (!rules_.empty()) return &rules_;
  TRY_ASSIGN(const Space* space, Session::space());
  TRY_ASSIGN(const std::string name, platform_name());
  TRY_ASSIGN(Platform * platform, Session::platform());
  // As hints have it, without `--local` where that says nothing new.
  const bool is_here = line_.has("--local") || name == kLocal;
  const bool is_as_there = (is_here && contract_asked_for(*space, line_) == usual_contract_of("uai")) ||
                           (line_.has("--local") && pulls_images(*space, space->default_platform));
  owned_rules_ =
      all_rules({host_, workspace(), *space, blobs_, digests_, file_sets_, state(), *platform, name, tally_,
                 [this](const Run& run) { return try_hold_run(*this, run); },
                 !platform->traits.runs_images && is_as_there, line_.has("--prune"), line_.has("--retry")});
  for (const std::unique_ptr<Rule>& rule : owned_rules_) rules_.push_back(rule.get());
  return &rules_;
}

Result<std::vector<Pattern>> Session::requests(const std::vector<std::string>& words) {
  std::vector<Pattern> patterns;
  for (const std::string& word : words) {
    TRY_ASSIGN(Pattern pattern, parse_request(host_, position_, word));
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

}  // namespace trainmake
