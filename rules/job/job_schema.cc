#include "rules/job/job_schema.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/job/arguments.h"
#include "rules/job/distribution.h"
#include "rules/job/metrics.h"
#include "rules/job/outputs.h"
#include "rules/job/sizes.h"

namespace trainmake {
namespace {

Attribute number(const char* name, const char* doc, std::int64_t least, Effect effect) {
  return {.name = name, .shape = Shape::kInteger, .doc = doc, .effect = effect, .least = least};
}

void check_variable(const std::string& name, int line, std::vector<Error>& errors) {
  if (!name.empty() && name.find('=') == name.npos && name.find('\0') == name.npos) return;
  errors.push_back(user_error(cat("No environment variable can be named ", quoted(name))).at({"", line}));
}

std::vector<Error> wrong_environment(const Value& variables) {
  std::vector<Error> errors;
  for (const auto& [name, value] : variables.table()->fields) check_variable(name, value.line, errors);
  return errors;
}

std::vector<Error> wrong_secrets(const Value& names) {
  std::vector<Error> errors;
  if (const std::string* name = names.string()) check_variable(*name, names.line, errors);
  if (const Table* list = names.table()) {
    for (const Value& name : list->items) check_variable(*name.string(), name.line, errors);
  }
  return errors;
}

std::vector<Error> wrong_channels(const Value& data) {
  std::vector<Error> errors;
  if (data.table() == nullptr) return errors;
  for (const auto& [channel, label] : data.table()->fields) {
    if (!channel.empty() && path_clean(channel) == channel && channel.front() != '/') continue;
    errors.push_back(user_error(cat("Channel ", quoted(channel), " is no path in the data folder"),
                                "Write it as `train` or `train/images`")
                         .at({"", label.line}));
  }
  return errors;
}

std::vector<Error> wrong_cpus(const Value& cpus) {
  if (parse_number(scalar_text(cpus)).value_or(0) > 0) return {};
  return {user_error(cat("`resources.cpus` is ", scalar_text(cpus), ", and a job needs some"),
                     "Write it as 4 or 0.5, or leave it out")};
}

std::vector<Error> wrong_memory(const Value& size) {
  auto said = mebibytes_of("memory", *size.string());
  return said ? std::vector<Error>() : std::vector<Error>{std::move(said).error()};
}

std::vector<Error> wrong_disk(const Value& size) {
  auto said = mebibytes_of("disk", *size.string());
  return said ? std::vector<Error>() : std::vector<Error>{std::move(said).error()};
}

std::vector<Attribute> resources() {
  return {
      number("nodes", "Machines", 1, Effect::kResult),
      number("gpus", "Accelerators of each node", 0, Effect::kResult),
      {.name = "cpus",
       .shape = Shape::kNumber,
       .doc = "Processors of each node",
       .effect = Effect::kNone,
       .wrong = wrong_cpus},
      {.name = "memory",
       .doc = "Memory of each node, as \"64G\"",
       .effect = Effect::kNone,
       .wrong = wrong_memory},
      {.name = "disk", .doc = "Disk of each node, as \"100G\"", .effect = Effect::kNone, .wrong = wrong_disk},
      {"instance", Shape::kString, "The platform's name of a kind of machine", false, Effect::kNone},
      {"node_type", Shape::kString, "Of uai only: accelerators of a node and their kind, as `1-P40`"},
      number("hours", "Of uai only: how long it may take; else its `timeout`", 1, Effect::kNone),
  };
}

std::vector<Attribute> preflight() {
  return {
      number("steps",
             "How many steps are done on this machine before it goes elsewhere, told by "
             "`TRAINMAKE_PREFLIGHT_STEPS`",
             1, Effect::kNone),
      {"params", Shape::kArguments, "Hyperparameters of these, in place of the job's", false, Effect::kNone},
      {"timeout", Shape::kDuration, "How long these may take; else 10 minutes", false, Effect::kNone},
      {"syntax", Shape::kBoolean, "Whether this machine's Python must be able to read the main file", false,
       Effect::kNone},
  };
}

}  // namespace

const Schema& job_schema() {
  static const Schema schema{
      "job",
      "A run of an image's code over data, on a platform",
      {
          {"image", Shape::kLabel, "The image that it runs in", true, Effect::kResult, {"image"}},
          {"main", Shape::kString, "The file of the code to run; the code's own `main` when not given"},
          {"command", Shape::kCommand, "The command to run, in place of `main`"},
          {.name = "data",
           .shape = Shape::kChannels,
           .doc = "What it reads: data and other jobs' outputs; named ones lie in a folder of that name",
           .labels = {"data", "job"},
           .wrong = wrong_channels},
          {"args", Shape::kArguments,
           "Arguments, passed as `--name value`, a true boolean as `--name` and a false one not at all, "
           "where "
           "the contract says nothing else; `data_dir \"x\"` and its like are completed by the "
           "platform"},
          {"params", Shape::kArguments, "Hyperparameters, passed after `args` in the same way, and recorded"},
          {"solver", Shape::kWord,
           "Of caffe: the file that says how to train, passed first, as `--solver path`"},
          {"snapshot", Shape::kWord, "Of caffe: what it goes on from, passed next, as `--snapshot path`"},
          {.name = "train_params",
           .doc =
               "Arguments as they are typed to a shell, passed behind all others: `\"--max_step=2000 -v\"`",
           .wrong = wrong_train_params},
          {.name = "env",
           .shape = Shape::kScalarMap,
           .doc = "Environment variables; nothing else leaks in",
           .wrong = wrong_environment},
          {.name = "secrets",
           .shape = Shape::kStringList,
           .doc = "Names of environment variables that it gets and that are shown nowhere",
           .effect = Effect::kNone,
           .wrong = wrong_secrets},
          {.name = "resources",
           .shape = Shape::kTable,
           .doc = "What it needs; only nodes and gpus change its result",
           .fields = resources()},
          {.name = "outputs",
           .shape = Shape::kStringMap,
           .doc = "What it leaves for later targets: name = path in its output folder",
           .wrong = wrong_outputs},
          {.name = "metrics",
           .shape = Shape::kTable,
           .doc = "Numbers that it tells: name = Lua pattern over its log; or name = { file, field, step } "
                  "of JSON lines or CSV among its outputs; the last counts",
           .effect = Effect::kNone,
           .wrong = Metrics::wrong},
          number("retries", "How often it is tried again when it fails", 0, Effect::kNone),
          {"timeout", Shape::kDuration, "How long it may take", false, Effect::kNone},
          {"resume", Shape::kBoolean,
           "Whether a run goes on from the checkpoint that the last one left, however that ended"},
          {.name = "preflight",
           .shape = Shape::kTable,
           .doc = "What is tried before it is submitted: a few `steps` of it here, whose number its script "
                  "finds in `TRAINMAKE_PREFLIGHT_STEPS`",
           .effect = Effect::kNone,
           .fields = preflight()},
          distribution_attribute(),
          {"memo", Shape::kString, "A remark that the platform's list of jobs shows", false, Effect::kNone},
          {"tags", Shape::kStringList, "Words to find it by", false, Effect::kNone},
          {"notes", Shape::kString, "Whatever there is to say of it", false, Effect::kNone},
      }};
  return schema;
}

int retries_of(const Target& job) {
  const Value* retries = job.find("retries");
  return retries == nullptr ? 0 : static_cast<int>(std::clamp<std::int64_t>(*retries->integer(), 0, 1000));
}

bool resumes(const Target& job) {
  const Value* resume = job.find("resume");
  return resume != nullptr && *resume->boolean();
}

}  // namespace trainmake
