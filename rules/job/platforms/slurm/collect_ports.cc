#include "rules/job/platforms/slurm/collect_ports.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "rules/job/note_files.h"
#include "rules/job/platforms/slurm/shared_files.h"
#include "rules/job/platforms/slurm/slurm_commands.h"
#include "rules/job/platforms/slurm/slurm_state.h"

namespace trainmake {
namespace {

constexpr std::size_t kMostNumbers = 50;  // that are asked for one by one; the next time goes on

bool is_own(const std::string& path) {
  struct stat stat = {};
  return ::lstat(path.c_str(), &stat) == 0 && stat.st_uid == ::geteuid();
}

// The links of this user, by the numbers of their jobs.
Result<std::map<std::string, std::vector<std::string>>> own_links(FileSystem& files,
                                                                  const std::string& folder) {
  std::map<std::string, std::vector<std::string>> links;
  TRY_ASSIGN(const bool there, is_there(files, folder));
  if (!there) return links;
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(folder));
  for (const FolderEntry& entry : entries) {
    const std::string path = path_join(folder, entry.name);
    if (!is_own(path)) continue;
    // One that was given back meanwhile is none.
    if (const auto number = files.read_link(path); number && is_job_number(*number))
      links[*number].push_back(path);
  }
  return links;
}

bool has_active(const std::vector<SlurmJob>& jobs, const std::string& number) {
  return std::any_of(jobs.begin(), jobs.end(),
                     [&](const SlurmJob& job) { return job.number == number && is_active(job); });
}

// An answer of squeue that is empty by mistake would free the ports of all that runs, so scontrol says it,
// too.
bool is_over(SlurmCommands& commands, const std::string& number) {
  const auto told = commands.run(scontrol_words(number.substr(0, number.find('_'))));
  const auto jobs = told ? parse_scontrol(told->output, told->errors) : std::nullopt;
  return jobs && !has_active(*jobs, number);
}

}  // namespace

Result<Swept> collect_ports(Host& host, const std::string& shared_dir) {
  Swept swept;
  TRY_ASSIGN(const auto links, own_links(host.files, ports_folder(shared_dir)));
  if (links.empty()) return swept;
  SlurmCommands commands(host);
  std::vector<std::string> words = squeue_words({});
  words.emplace_back("--me");
  const auto told = commands.run(words);
  const auto jobs = told && told->exit_code == 0 ? parse_squeue(told->output) : std::nullopt;
  if (!jobs) return swept;
  std::size_t asked = 0;
  for (const auto& [number, paths] : links) {
    if (has_active(*jobs, number)) continue;
    if (++asked > kMostNumbers) break;
    if (!is_over(commands, number)) continue;
    for (const std::string& path : paths) TRY(host.files.remove(path));
    swept.count += paths.size();
  }
  return swept;
}

}  // namespace trainmake
