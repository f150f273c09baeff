#include "rules/job/job_schema.h"

namespace trainmake {
namespace {

Attribute number(const char* name, const char* doc, std::int64_t least, Effect effect) {
  return {name, Shape::kInteger, doc, false, effect, {}, least};
}

std::vector<Attribute> resources() {
  return {
      number("nodes", "Machines", 1, Effect::kResult),
      number("gpus", "Accelerators of each node", 0, Effect::kResult),
      {"cpus", Shape::kNumber, "Processors of each node", false, Effect::kNone},
      {"memory", Shape::kString, "Memory of each node, as \"64G\"", false, Effect::kNone},
      {"disk", Shape::kString, "Disk of each node, as \"100G\"", false, Effect::kNone},
      {"instance", Shape::kString, "The platform's name of a kind of machine", false, Effect::kNone},
  };
}

std::vector<Attribute> distribution() {
  const std::vector<Attribute> mpi = {
      number("processes_per_node", "Processes on each node", 1, Effect::kResult),
      {"options", Shape::kString, "More words for mpirun"},
  };
  return {
      {"mpi", Shape::kTable, "Started by mpirun", false, Effect::kResult, {}, {}, mpi},
      {"parameter_server", Shape::kBoolean, "Workers beside parameter servers"},
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
          {"data",
           Shape::kChannels,
           "What it reads: data and other jobs' outputs; named ones lie in a folder of that name",
           false,
           Effect::kResult,
           {"data", "job"}},
          {"args", Shape::kArguments,
           "Arguments, passed as `--name value`; `data_dir \"x\"` and its like are completed by the "
           "platform"},
          {"params", Shape::kArguments, "Hyperparameters, passed after `args` in the same way, and recorded"},
          {"env", Shape::kScalarMap, "Environment variables; nothing else leaks in"},
          {"secrets", Shape::kStringList,
           "Names of environment variables that it gets and that are shown nowhere", false, Effect::kNone},
          {"resources",
           Shape::kTable,
           "What it needs; only nodes and gpus change its result",
           false,
           Effect::kResult,
           {},
           {},
           resources()},
          {"outputs", Shape::kStringMap,
           "What it leaves for later targets: name = path in its output folder"},
          {"metrics", Shape::kStringMap,
           "Numbers to read from its log: name = Lua pattern; the last match counts", false, Effect::kNone},
          {"retries",
           Shape::kInteger,
           "How often it is tried again when it fails",
           false,
           Effect::kNone,
           {},
           0},
          {"timeout", Shape::kDuration, "How long it may take", false, Effect::kNone},
          {"preflight", Shape::kTable, "What to check before it is submitted; refused so far", false,
           Effect::kNone},
          {"distribution",
           Shape::kTable,
           "How its processes are laid out over nodes and gpus",
           false,
           Effect::kResult,
           {},
           {},
           distribution()},
          {"tags", Shape::kStringList, "Words to find it by", false, Effect::kNone},
          {"notes", Shape::kString, "Whatever there is to say of it", false, Effect::kNone},
      }};
  return schema;
}

}  // namespace trainmake
