#include "rules/job/image_check.h"

#include <utility>

#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "engine/container/container.h"
#include "engine/container/programs.h"
#include "rules/job/container_layout.h"

namespace trainmake {
namespace {

// NVIDIA's driver brings a few of its own.
bool is_of_driver(const JobSpec& spec, const std::string& program) {
  return accelerators_of(spec.resources) > 0 && path_name(program).starts_with("nvidia-");
}

Error said_of(const JobSpec& spec, const std::string& program, Error error) {
  if (spec.command.empty() && !spec.main.empty())
    error.message += cat(", with which ", quoted(spec.main), " is run");
  error.hint = cat("Build the image on a base that has ", quoted(program),
                   ", or add it with one of its `run` steps; if it is there, `--force` unpacks the image's "
                   "layers anew");
  return std::move(error).because(Blame::kUser);
}

}  // namespace

std::vector<std::string> programs_of(const std::vector<std::string>& arguments) {
  std::vector<std::string> programs = {arguments.front()};
  // Neither an option of its, nor a variable.
  const bool is_env = path_name(programs.front()) == "env" && arguments.size() > 1;
  if (is_env && !arguments[1].starts_with('-') && arguments[1].find('=') == std::string::npos)
    programs.push_back(arguments[1]);
  return programs;
}

Result<void> check_image(const Contract& contract, const JobSpec& spec) {
  CHECK(spec.root.has_value());
  const ContainerLayout layout = layout_in_container(contract, spec, Folders(), "");
  const RenderedJob job = render_in_container(contract, spec, layout.folders, kContainerPath);
  ProgramPlaces places{{}, layout.mounts, job.environment.at("PATH"), job.folder};
  for (const std::string& layer : spec.root->layers)
    places.layers.push_back(path_join(spec.root->folder, layer));
  for (const std::string& program : programs_of(job.arguments)) {
    auto found = check_program(places, program);
    if (!found && !is_of_driver(spec, program)) return fail(said_of(spec, program, std::move(found).error()));
  }
  return {};
}

}  // namespace trainmake
