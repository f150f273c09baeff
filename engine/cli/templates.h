// What `trainmake new` may begin with: the files of templates/, which CMakeLists.txt puts into the program.
// What several templates have in common lies in one folder of it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trainmake {

using Words = std::vector<std::pair<std::string_view, std::string_view>>;  // a mark in files, and what it is

struct Template {
  std::string_view name;
  std::vector<std::string_view> folders;  // of templates/, no two of which have a file of one path
  Words words;
};

struct TemplateFile {
  std::string_view folder;
  std::string path;  // in the project
  const char* text;  // with `@NAME@` for the project's name and the like, and the template's own marks
};

const std::vector<TemplateFile>& template_files();  // of all folders
const std::vector<Template>& templates();           // `basic` first
std::vector<std::string> template_names();
std::vector<TemplateFile> files_of(const Template& chosen);

}  // namespace trainmake
