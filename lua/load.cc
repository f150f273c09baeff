#include "lua/load.h"

#include <lua5.4/lua.hpp>
#include <utility>

#include "engine/base/text.h"
#include "lua/evaluation.h"
#include "lua/globals.h"
#include "lua/guard.h"
#include "lua/lookups.h"
#include "lua/sandbox.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

std::string main_file(const Evaluation& evaluation) {
  return path_join(evaluation.folder, evaluation.role == FileRole::kProject ? kTrainfile : kTrainspace);
}

Result<int> open_and_run(lua_State* state) {
  const Evaluation& evaluation = Vm::of(state).evaluation();
  open_sandbox(state);
  open_globals(state, evaluation.role);
  TRY(run_file(state, main_file(evaluation)));
  return 0;
}

// `job "x"` that never got its table.
void check_pending(Evaluation& evaluation) {
  for (const Pending& pending : evaluation.pending) {
    const std::string text = cat(pending.kind, " \"", printable(pending.name), "\"");
    evaluation.errors.push_back(
        user_error(cat("`", text, "` is left without its table"), cat("Write `", text, " { ... }`"))
            .at(pending.places.front()));
  }
}

Result<void> run(Evaluation& evaluation) {
  const std::string path = main_file(evaluation);
  TRY_ASSIGN(const bool there, read_source(evaluation, path));
  if (!there && evaluation.role == FileRole::kSpace) return {};
  if (!there) {
    const std::string folder = evaluation.folder.empty() ? "." : evaluation.folder;
    return fail(
        user_error(cat("There is no ", kTrainfile, " in ", quoted(folder)), "Make one with `trainmake new`"));
  }
  Vm vm(evaluation.options.limits, evaluation);
  lua_pushcfunction(vm.state(), &guarded<open_and_run>);
  TRY(vm.call(0, 0));
  check_pending(evaluation);
  return {};
}

void evaluate(Evaluation& evaluation) {
  if (Result<void> ran = run(evaluation); !ran) {
    evaluation.errors.push_back(std::move(ran).error());
    evaluation.is_whole = false;
  }
  if (!evaluation.pending.empty()) evaluation.is_whole = false;
  evaluation.looks.normalize();
}

const std::string* wrong_text(const Declaration& service) {
  for (const auto& [name, value] : service.attributes.fields) {
    for (const char* known : {"type", "url", "endpoint", "region"}) {
      if (name == known && !value.is_nil() && value.string() == nullptr) return &name;
    }
  }
  return nullptr;
}

void check_service(const Declaration& service, std::vector<Error>& errors) {
  const std::string* name = wrong_text(service);
  if (name == nullptr) return;
  const Value& value = *service.attributes.find(*name);
  errors.push_back(
      user_error(cat("Attribute ", quoted(*name), " of `", service.kind, " \"", printable(service.name),
                     "\"` is wrong: expected a string, got ", type_name(value)))
          .at({service.where.file, value.line != 0 ? value.line : service.where.line}));
}

std::string default_of(const Evaluation& evaluation, const char* kind, Space& space) {
  const auto found = evaluation.defaults.find(kind);
  if (found == evaluation.defaults.end()) return {};
  const auto& [name, where] = found->second;
  const bool built_in = std::string_view(kind) == "platform" && name == "local";
  if (!built_in && space.find(kind, name) == nullptr) {
    const std::string meant = did_you_mean(name, space.names(kind));
    space.errors.push_back(
        user_error(cat("`default_", kind, "` names ", quoted(name), ", which is not declared"),
                   meant.empty() ? cat("Write `", kind, " \"", printable(name), "\" { ... }`") : meant)
            .at(where));
  }
  return name;
}

}  // namespace

Project load_project(const Host& host, const LoadOptions& options, const std::string& folder) {
  Evaluation evaluation{.host = host, .options = options, .role = FileRole::kProject, .folder = folder};
  evaluate(evaluation);
  return {folder,
          std::move(evaluation.name),
          std::move(evaluation.declarations),
          std::move(evaluation.errors),
          std::move(evaluation.looks),
          evaluation.is_whole};
}

Space load_space(const Host& host, const std::string& root) {
  LoadOptions options;
  options.root = root;
  Evaluation evaluation{.host = host, .options = options, .role = FileRole::kSpace};
  evaluate(evaluation);
  Space space;
  space.errors = std::move(evaluation.errors);
  space.looks = std::move(evaluation.looks);
  for (Declaration& service : evaluation.declarations) {
    check_service(service, space.errors);
    space.services.push_back({std::move(service.kind), std::move(service.name), std::move(service.attributes),
                              std::move(service.where)});
  }
  space.default_platform = default_of(evaluation, "platform", space);
  space.default_store = default_of(evaluation, "store", space);
  space.default_registry = default_of(evaluation, "registry", space);
  return space;
}

}  // namespace trainmake
