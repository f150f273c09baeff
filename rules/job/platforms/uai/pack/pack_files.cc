#include "rules/job/platforms/uai/pack/pack_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/base/text.h"
#include "rules/job/contracts.h"
#include "rules/job/published_base.h"

namespace trainmake {
namespace {

bool is_caffe(const PackOrder& order) { return order.framework == kCaffe; }

std::string json_words(const std::vector<std::string>& words) {
  return nlohmann::json(words).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// A line of a Dockerfile is a command as a shell has it; one that has lines itself, or begins as something
// else does there, is words of JSON.
std::string run_line(const std::string& command) {
  const bool is_line = command.find_first_of("\n\r") == command.npos && !command.starts_with('[') &&
                       !command.starts_with("--") && !command.ends_with('\\') &&
                       command.find("<<") == command.npos;
  if (is_line) return cat("RUN ", command, "\n");
  return cat("RUN ", json_words({"/bin/sh", "-c", command}), "\n");
}

std::string add_line(const PackedFolder& folder) {
  const std::string to = cat(folder.to, folder.to.ends_with('/') ? "" : "/");
  const bool has_blanks = cat(folder.from, to).find_first_of(" \t") != std::string::npos;
  return cat("ADD ", has_blanks ? json_words({folder.from, to}) : cat(folder.from, " ", to), "\n");
}

// `From` as they spelled it, and the folder with the `./` that they put before whatever was typed.
std::string dockerfile(const std::string& base, const PackOrder& order) {
  std::string text = cat("From ", base, "\n");
  for (const std::string& command : order.run) text += run_line(command);
  for (const PackedFolder& folder : order.folders) text += add_line(folder);
  return cat(text, "ADD ./", order.code_path, " /data/\n");
}

// The program with its parameters: one blank between them, whether or not there are any.
std::string program(const PackOrder& order) {
  if (!is_caffe(order)) return cat("/data/", order.main, " ", order.train_params);
  return cat("/data/", order.main, " --solver=", order.solver,
             order.snapshot.empty() ? "" : cat(" --snapshot=", order.snapshot));
}

// What a job in a container is told on this machine, too.
std::string flags_with(std::int64_t gpus, const PackOrder& order, PackDialect dialect) {
  const Contract& contract = uai_contract();
  const Contract::Places& at = *contract.places;
  JobSpec spec;
  spec.framework = order.framework;
  Value count;
  count.data = gpus;
  spec.resources.fields = {{"gpus", std::move(count)}};
  Folders folders{at.code, at.data, at.output, at.checkpoint, at.log, "", ""};
  if (dialect == PackDialect::k2017) folders.log += "/log";
  const std::vector<std::string> words = render(contract, spec, folders, "").arguments;
  return join(std::span(words).subspan(1), " ");  // behind the program
}

std::string local_test(const PackOrder& order, const char* docker, const std::string& image,
                       const std::string& flags) {
  return cat("sudo ", docker, " run -it -v ", order.test_data, ":/data/data -v ", order.test_output,
             ":/data/output ", image, " /bin/bash -c \"cd /data && /usr/bin/python ", program(order), " ",
             flags, "\"");
}

std::string cpu_test(const PackOrder& order, PackDialect dialect) {
  const std::string image = cat(order.image, "-cpu:", order.tag);
  return cat(local_test(order, "docker", image, flags_with(0, order, dialect)), is_caffe(order) ? " " : "");
}

std::string gpu_test(const PackOrder& order, PackDialect dialect) {
  const std::string image = cat(order.host, "/", order.registry, "/", order.image, ":", order.tag);
  // The manual tells caffe alone how many there are.
  const bool tells_number = is_caffe(order) || dialect == PackDialect::kCurrent;
  return local_test(order, "nvidia-docker", image, flags_with(tells_number ? 1 : 0, order, dialect));
}

}  // namespace

std::vector<PackedFile> pack_files(const PackOrder& order, PackDialect dialect) {
  std::vector<PackedFile> files;
  std::string commands;
  const auto tell = [&](const char* label, const std::string& command) {
    commands += cat(label, dialect == PackDialect::k2017 ? "\n" : " ", command, "\n");
  };
  tell("CMD Used for deploying:", program(order));
  if (!order.cpu_base.empty()) {
    tell("CMD for CPU local test:", cpu_test(order, dialect));
    files.push_back({"uaitrain-cpu.Dockerfile", dockerfile(order.cpu_base, order)});
  }
  if (!order.gpu_base.empty()) {
    tell("CMD for GPU local test:", gpu_test(order, dialect));
    files.push_back({"uaitrain.Dockerfile", dockerfile(order.gpu_base, order)});
  }
  files.push_back({"uaitrain_cmd.txt", std::move(commands)});
  return files;
}

std::vector<std::string> pack_mistakes(const PackOrder& order) {
  std::vector<std::string> mistakes;
  if (is_caffe(order) && !order.train_params.empty())
    mistakes.emplace_back(
        "`train_params` is dropped, as `args` and `params` are: the tool of caffe passes `solver` and "
        "`snapshot` alone");
  if (!is_caffe(order) && (!order.solver.empty() || !order.snapshot.empty()))
    mistakes.emplace_back("`solver` and `snapshot` are dropped: the tool of caffe alone knows them");
  if (!order.code_path.ends_with('/'))
    mistakes.push_back(cat("the folder of code, ", quoted(order.code_path), ", has to end with `/`"));
  const std::string name = cat(order.registry, "/", order.image, ":", order.tag);
  if (std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
    mistakes.push_back(cat("UHub takes no upper case, and the image is ", quoted(name)));
  for (const auto& [what, text] :
       {std::pair("the main file", &order.main), std::pair("`solver`", &order.solver),
        std::pair("`snapshot`", &order.snapshot), std::pair("the folder of code", &order.code_path),
        std::pair("`--test-data`", &order.test_data), std::pair("`--test-output`", &order.test_output)}) {
    if (text->find_first_of(" \t\n\"'$`\\") != text->npos)
      mistakes.push_back(
          cat(what, " ", quoted(*text), " has what a shell takes for itself, and stands there bare"));
  }
  for (const PackedFolder& folder : order.folders) {
    if (cat(folder.from, folder.to).find_first_of("$*?[\\") != std::string::npos)
      mistakes.push_back(cat("the folder ", quoted(folder.from), " for ", quoted(folder.to),
                             " has what Docker takes for a pattern or a variable, and stands there bare"));
  }
  if (order.train_params.find_first_of("\"$`\\") != std::string::npos)
    mistakes.emplace_back(
        "`train_params` has what the shell around the local test takes for itself, quoted or not: one of "
        "`\"`, `$`, `\\` and the back tick");
  for (const auto& [flag, path] :
       {std::pair("`--test-data`", &order.test_data), std::pair("`--test-output`", &order.test_output)}) {
    if (!path->starts_with('/'))
      mistakes.push_back(cat(flag, " ", quoted(*path), " is not absolute, and docker makes a volume of it"));
  }
  return mistakes;
}

}  // namespace trainmake
