#include "engine/cli/templates.h"

#include <algorithm>

namespace trainmake {

const std::vector<Template>& templates() {
  static const std::vector<Template> all = {
      {"basic", {"basic"}, {}},
      {"uai-caffe", {"uai", "uai-caffe"}, {}},
      {"uai-pytorch",
       {"uai", "uai-python"},
       {{"@FRAMEWORK@", "PyTorch"}, {"@BASE@", "arch = \"pytorch-0.4\""}}},
      {"uai-tensorflow",
       {"uai", "uai-python"},
       {{"@FRAMEWORK@", "TensorFlow"}, {"@BASE@", "arch = \"tensorflow-1.7.0\", python = \"3.6\""}}},
  };
  return all;
}

std::vector<std::string> template_names() {
  std::vector<std::string> names;
  for (const Template& each : templates()) names.emplace_back(each.name);
  return names;
}

std::vector<TemplateFile> files_of(const Template& chosen) {
  std::vector<TemplateFile> files;
  for (const TemplateFile& file : template_files()) {
    const bool is_its =
        std::find(chosen.folders.begin(), chosen.folders.end(), file.folder) != chosen.folders.end();
    if (is_its) files.push_back(file);
  }
  return files;
}

}  // namespace trainmake
