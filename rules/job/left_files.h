// Files that a run left, found as the run itself saw them: where it was in a container, links lead by the
// names that its folders had in there, and to nothing beyond what it wrote. Follows links by itself, so that
// none is ever read with this machine's paths. Knows no platform by name.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/model/project.h"
#include "engine/model/record.h"
#include "rules/job/platform.h"

namespace trainmake {

class LeftFiles {
 public:
  struct View {
    std::string at;    // as the run saw the folder
    std::string here;  // where this machine has it
  };
  struct Found {
    std::string at;  // on this machine, with no link in it
    Stat stat;
  };

  // Of a process of this machine, which saw what we see; `written` are folders of this machine, the first of
  // them its output. `seen`: those that it saw elsewhere, besides.
  static Result<LeftFiles> by_process(FileSystem& files, const std::vector<std::string>& written,
                                      const std::vector<View>& seen = {});
  // Of a container that had those to write to; the first is its output.
  static Result<LeftFiles> in_container(FileSystem& files, std::vector<View> written);

  // What is at a path in the output folder. What leads out of all that the run saw is an error.
  Result<Found> find(const std::string& path) const;
  // Whether a place on this machine is in one of the folders that it wrote.
  bool is_written(const std::string& at) const;

  FileSystem& files() const { return *files_; }

 private:
  LeftFiles(FileSystem& files, std::vector<View> seen, std::vector<View> written)
      : files_(&files), seen_(std::move(seen)), written_(std::move(written)) {}
  const View* view_of(const std::string& path) const;
  Result<std::string> on_this_machine(const std::string& path) const;

  FileSystem* files_;
  std::vector<View> seen_;
  std::vector<View> written_;
};

// Under the contract that the run was given, whichever its platform usually has. One that `space` does not
// declare any more, or declares as another, is an error: where links in what the run left lead is not known.
// `also`: paths that are wanted beside its outputs.
Result<LeftFiles> left_by(Platform& platform, FileSystem& files, const Space& space, const Run& run,
                          const std::vector<std::string>& also, const std::stop_token& stop);

}  // namespace trainmake
