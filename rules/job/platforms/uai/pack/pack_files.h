// What UAI-Train's own tools left behind when they had packed an image, for whoever submits in the web
// console: two Dockerfiles and the commands, byte for byte, with the blanks at ends that they had. Pure.
#pragma once

#include <string>
#include <vector>

namespace trainmake {

// A folder of the build's that goes into the image whole, without its name.
struct PackedFolder {
  std::string from;  // as it is typed: `./checkpoint/`
  std::string to;    // absolute
};

struct PackOrder {
  std::string framework;           // `caffe` has flags of its own; "" is a base of one's own, without a tool
  std::string gpu_base, cpu_base;  // "" where there is none
  std::vector<std::string> run = {};       // commands between base and code, which people wrote in by hand
  std::vector<PackedFolder> folders = {};  // beside the code, in the same way
  std::string code_path;                   // as it is typed: `./code/`
  std::string main;
  std::string train_params;
  std::string solver, snapshot;  // of caffe
  std::string host, registry, image, tag;
  std::string test_data, test_output;
  // What is declared beside and stands in none of the files; each as a person reads it.
  std::vector<std::string> left_out = {};
};

enum class PackDialect { kCurrent, k2017 };  // as the tools write it, and as their manual of 2017 shows it

struct PackedFile {
  std::string name;
  std::string text;
};
std::vector<PackedFile> pack_files(const PackOrder& order, PackDialect dialect);

// What the tools took without a word and got wrong; each as a person reads it.
std::vector<std::string> pack_mistakes(const PackOrder& order);

}  // namespace trainmake
