// What a job rule works with; put together by the command line, where one platform is chosen for the whole
// run. Borrows all.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "cache/blobs.h"
#include "cache/file_digests.h"
#include "engine/base/host.h"
#include "engine/model/artifact.h"
#include "engine/model/graph.h"
#include "engine/model/memory.h"
#include "engine/model/project.h"
#include "rules/job/platform.h"

namespace trainmake {

struct Doing;

// An image by its artifacts, unpacked; `on_unpack` is called once when that takes a while.
using UnpackImage =
    std::function<Result<ImageRoot>(const Artifacts& image, bool accelerated,
                                    const std::function<void()>& on_unpack, const std::stop_token& stop)>;

struct JobServices {
  Host& host;
  const Workspace& workspace;
  const Space& space;
  std::string platform_name;
  Blobs& blobs;
  FileDigests& digests;
  Runs& runs;
  Platform& platform;
  std::string version;
  // Whether a store has by now what `data`, whose tree is `root`, was when it was sent: an error says what
  // else lies there, and a mark tells what does. For platforms whose jobs read stores. Where a job reads the
  // whole folder, `files` are all that should lie there, and what else does is told.
  std::function<Result<std::string>(const Target& data, const std::string& root, const Doing& doing,
                                    const Listing* files)>
      check_stored = nullptr;
  // Whether what has that mark lay in its store all the time.
  std::function<Result<bool>(const GivenTree& given)> is_as_marked = nullptr;
  // Where data will lie in a store, as GivenTree has it, and an image in a registry: without asking anybody.
  std::function<Result<std::string>(const Target& data)> foresee_store = nullptr;
  std::function<Result<std::string>(const Target& image)> foresee_image = nullptr;
  UnpackImage unpack_image = nullptr;  // for platforms that run images
  // How a registry calls an image of these artifacts, by a tag of its content alone: that has to be there
  // when this returns. For platforms that pull images.
  std::function<Result<std::string>(const Artifacts& image, bool accelerated, const std::stop_token& stop)>
      name_pulled_image = nullptr;
  // This machine, to try a few steps on before a job goes elsewhere; nullptr when it is the platform itself.
  std::shared_ptr<Platform> rehearsal = nullptr;
  bool tries_again = false;  // --retry: a run that had come to nothing before is not what was asked for
};

}  // namespace trainmake
