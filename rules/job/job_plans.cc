#include "rules/job/job_plans.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/job/arguments.h"
#include "rules/job/distribution.h"
#include "rules/job/entry.h"
#include "rules/job/job_schema.h"
#include "rules/job/outputs.h"
#include "rules/job/published_base.h"

namespace trainmake {
namespace {

// An image without variants is for all.
Result<void> check_variant(const Artifacts& image, const std::string& variant, const Target& job) {
  constexpr std::string_view kVariant = "variant:";
  std::vector<std::string> variants;
  for (const Artifact& artifact : image) {
    if (artifact.role.starts_with(kVariant))
      variants.push_back(quoted(artifact.role.substr(kVariant.size())));
  }
  const bool has_it = std::find(variants.begin(), variants.end(), quoted(variant)) != variants.end();
  if (variant.empty() || variants.empty() || has_it) return {};
  return fail(
      user_error(cat("The image has no variant ", quoted(variant)), cat("It has ", join(variants, ", ")))
          .at(job.place_of("image")));
}

// Without the secrets that are too short to be refused in them.
Fields redacted(Fields params, const Redactor& redactor) {
  const auto redact = [&](Value& value) {
    if (!value.is_scalar()) return;
    const std::string text = scalar_text(value);
    if (std::string told = redactor.redact(text); told != text) value.data = std::move(told);
  };
  for (auto& [name, value] : params) {
    redact(value);
    auto* list = std::get_if<Table>(&value.data);
    if (list != nullptr) std::for_each(list->items.begin(), list->items.end(), redact);
  }
  return params;
}

// The code target behind the image, for a hint.
std::string code_label(const Subject& subject, const std::string& here) {
  const TargetId image = image_of(subject.target())->target;
  const std::vector<TargetId> code = code_targets(subject.graph, image);
  return subject.graph[code.empty() ? image : code.front()].label.shortest_from(here);
}

// Where a data target was sent; "" when it was not.
std::string store_of(const Subject& subject, const Dependency& need) {
  const Artifacts* artifacts = subject.inputs.artifacts(need.target);
  const Artifact* store = artifacts == nullptr ? nullptr : find_role(*artifacts, "store");
  return store == nullptr ? "" : store->address;
}

Error gone(const std::string& label) {
  return step_error(cat("The list of files of ", quoted(label), " is no longer in the cache, or damaged"),
                    cat("`trainmake ", shell_word(label), " --force` makes it again"));
}

}  // namespace

Result<JobPlan> JobPlans::plan_of(const Subject& subject) {
  const Target& target = subject.target();
  JobPlan plan;
  plan.shortest = target.label.shortest_from(services_.workspace.here);
  plan.secrets_at = target.place_of("secrets");
  plan.retries = retries_of(target);
  JobSpec& spec = plan.spec;
  spec.label = target.label.text();
  TRY(add_code(subject, spec));
  TRY(add_said(target, spec));
  TRY(add_data(subject, spec));
  const Redactor redactor = redactor_of(services_.host.environment, spec.secrets);
  plan.params_json = params_json(redacted(spec.params, redactor), Folders{});
  plan.provenance_json = provenance_.json_of(
      spec, redactor,
      {services_.platform.traits.contract, target.find("metrics"),
       services_.workspace.path(target.label.folder), services_.platform_name, services_.version,
       services_.platform.traits.adds_flags, target.strings("tags"), target.string_or("notes", "")});
  return plan;
}

// With the image that has it.
Result<void> JobPlans::add_code(const Subject& subject, JobSpec& spec) {
  const Target& target = subject.target();
  const std::string& here = services_.workspace.here;
  const Artifacts* image = subject.inputs.artifacts(image_of(target)->target);
  CHECK(image != nullptr);
  if (const Artifact* artifact = find_role(*image, "image")) spec.image = artifact->identity;
  TRY_ASSIGN(const Entry entry, entry_of(listings_, services_, subject, Files::kKept));
  const Artifact* code = find_role(*image, "code");
  if (code != nullptr && !code->sha256.empty() && !entry.code) return fail(gone(code_label(subject, here)));
  if (!entry.main.empty() && !entry.starter) {
    if (!entry.code)
      return fail(user_error(cat("Image of ", quoted(target.label.shortest_from(here)),
                                 " has no code to find ", quoted(entry.main), " in"))
                      .at(target.place_of("main")));
    return fail(gone(code_label(subject, here)));
  }
  spec.code = entry.code;
  for (const Artifact& artifact : *image) {
    if (artifact.role == "code") spec.listings.push_back(artifact.sha256);
  }
  spec.framework = framework_of(subject.graph, target);
  spec.main = entry.main;
  spec.starter = entry.starter.value_or(Starter{});
  return {};
}

Result<void> JobPlans::add_said(const Target& target, JobSpec& spec) {
  if (const Value* command = target.find("command")) spec.command = command->table()->items;
  spec.args = named_arguments(target);
  spec.params = target.fields("params");
  TRY_ASSIGN(spec.typed, typed_arguments(target));
  for (const auto& [name, value] : target.fields("env")) spec.environment[name] = scalar_text(value);
  spec.secrets = target.strings("secrets");
  spec.outputs = declared_outputs(target);
  if (const Value* resources = target.find("resources"))
    spec.resources = resources_there(services_.platform.traits, *resources->table());
  if (const Value* distribution = target.find("distribution"))
    spec.distribution = as_laid_out(*distribution_value(*distribution).table(), spec.resources,
                                    services_.platform.traits.contract.cluster);
  if (const Value* timeout = target.find("timeout")) spec.timeout_s = seconds_of(*timeout).value_or(0);
  spec.memo = target.string_or("memo", "");
  spec.resume = resumes(target);
  return {};
}

Result<void> JobPlans::add_data(const Subject& subject, JobSpec& spec) {
  for (const Dependency* need : data_of(subject.target())) {
    TRY_ASSIGN(std::optional<GivenTree> tree, tree_of(listings_, subject, *need, Files::kKept));
    if (!tree) return fail(gone(subject.graph[need->target].label.shortest_from(services_.workspace.here)));
    if (services_.platform.traits.reads_stores) tree->store = store_of(subject, *need);
    if (tree->listing.empty()) {
      // What another job left is kept as a list as well: the run can be repeated when that job is another.
      TRY_ASSIGN(const Sha256 listing, services_.blobs.put(encode(*tree->files)));
      tree->listing = listing.hex();
    }
    spec.data.push_back(std::move(*tree));
  }
  return {};
}

Result<void> JobPlans::check_stored(const Subject& subject, JobPlan& plan, const Doing& doing) {
  const bool reads_there = services_.platform.reads_at_store(plan.spec);
  for (GivenTree& tree : plan.spec.data) {
    if (tree.store.empty() || !services_.check_stored) continue;
    const std::optional<TargetId> data = subject.graph.find(*parse_label(tree.label, ""));
    const Listing* const all = reads_there ? tree.files.get() : nullptr;
    TRY_ASSIGN(const std::string mark,
               services_.check_stored(subject.graph[*data], tree.identity, doing, all));
    if (reads_there) tree.mark = mark;
  }
  plan.provenance_json = with_marks(plan.provenance_json, plan.spec.data);
  return {};
}

Result<void> JobPlans::have_image(const Subject& subject, JobPlan& plan, const Doing& doing) {
  const PlatformTraits& traits = services_.platform.traits;
  if (!traits.runs_images && !traits.pulls_images) return {};
  const Artifacts& image = *subject.inputs.artifacts(image_of(subject.target())->target);
  TRY(check_variant(image, traits.variant, subject.target()));
  const bool accelerated = is_accelerated(traits, plan.spec.resources);
  if (traits.pulls_images) {
    CHECK(services_.name_pulled_image != nullptr);
    auto name = services_.name_pulled_image(image, accelerated, doing.stop);
    if (!name) return fail(std::move(name).error().at(subject.target().place_of("image")));
    plan.spec.pulled_image = *std::move(name);
    plan.provenance_json = with_pulled_image(plan.provenance_json, plan.spec.pulled_image);
    return {};
  }
  CHECK(services_.unpack_image != nullptr);
  const auto tell = [&] { doing.events(Message{subject.target().label, "Unpacking its image"}); };
  auto root = services_.unpack_image(image, accelerated, tell, doing.stop);
  if (!root) return fail(std::move(root).error().at(subject.target().place_of("image")));
  plan.spec.root = *std::move(root);
  return {};
}

}  // namespace trainmake
