#include "rules/job/check_processes.h"

#include "engine/base/text.h"
#include "rules/job/arguments.h"
#include "rules/job/distribution.h"

namespace trainmake {
namespace {

std::vector<std::string> names_of(const Fields& fields) {
  std::vector<std::string> names;
  for (const auto& [name, value] : fields) names.push_back(name);
  return names;
}

constexpr std::int64_t kMostProcesses = 512;  // on one machine

}  // namespace

Result<bool> check_processes(const Target& job, const PlatformTraits& traits) {
  const Value* declared = job.find("distribution");
  if (declared == nullptr) return false;
  const Value* resources = job.find("resources");
  const Value as_table = distribution_value(*declared);
  const Table wanted = resources != nullptr ? *resources->table() : Table();
  const ClusterStyle& style = traits.contract.cluster;
  if (auto checked = check_style(*as_table.table(), wanted, style); !checked)
    return fail(std::move(checked).error().at(job.place_of("distribution")));
  const std::optional<Distribution> distribution =
      distribution_of(as_laid_out(*as_table.table(), wanted, style), wanted);
  if (!distribution) return false;
  std::vector<std::string> arguments = names_of(named_arguments(job));
  for (std::string& name : names_of(job.fields("params"))) arguments.push_back(std::move(name));
  auto checked = check_distribution(*distribution, arguments, names_of(job.fields("env")));
  if (checked && traits.one_node && distribution->size() > kMostProcesses) {
    checked = fail(
        user_error(cat(distribution->size(), " processes are too many for one machine"),
                   cat("It takes up to ", kMostProcesses, "; choose another platform with `--platform`")));
  }
  if (checked && traits.runs_images && !traits.one_node && distribution->kind == Distribution::Kind::kMpi) {
    checked = fail(user_error("Processes of MPI are not told of each other in containers yet",
                              "Run it as a process, without `container`, or as another `distribution`"));
  }
  if (!checked) return fail(std::move(checked).error().at(job.place_of("distribution")));
  return true;
}

}  // namespace trainmake
