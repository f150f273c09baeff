// What somebody told UAI-Train's own tools, or the scripts around them (TP_uai_train): read off a command
// line and off their files, of which nothing is run. Pure. Knows nothing of how a TRAINFILE says it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace trainmake {

// Texts are "" where nothing was said.
struct OldProject {
  std::string name;  // as it was called: not always what a target may be called
  // The image: a published one by its parts, references, or one that is packed already.
  std::string arch, os, python;
  std::string gpu_base, cpu_base, packed_image;
  bool cpu_alone = false;
  std::vector<std::string> run;
  std::map<std::string, std::string> environment;  // of the image
  std::string tag;
  // Where it was kept.
  struct Bucket {
    std::string name, region;
  };
  Bucket bucket, output_bucket;  // the second where results went to another
  std::string registry, region, zone, project_id, business_group;
  bool internal_uhub = false;
  // The job.
  std::string code;                // a folder, as it was typed
  std::string main, train_params;  // of a packed image `main` is a path in it
  // In place of both, what a shell has to read where it runs: `-m torch.distributed.launch --nproc_per_node
  // $WORKER_GPU_NUM /data/train.py`, behind `python`.
  std::string python_line;
  std::string solver, snapshot, memo, node_type;
  std::string data;           // a folder on this machine, as it was typed
  std::string data_prefix;    // in the bucket
  std::string ufs, ufs_data;  // a mount point, and the folder below it that data lay in
  std::optional<std::int64_t> hours, nodes;
  std::string distribution;  // as a TRAINFILE calls it

  std::vector<std::pair<std::string, std::string>> credentials;  // what they were called, and what they are
  std::vector<std::string> lost;  // sentences for people: what could not be carried over
};

// Whether a text is a command line and no path: it names one of the tools, and more.
bool is_old_command(std::string_view text);
// `sudo python caffe_tool.py pack ...` or `tf_tool.py create ...`, split into words. No error shows a value
// that may be a key.
Result<OldProject> read_old_command(const std::vector<std::string>& words);
// As it was pasted: a `pack` and the `create` of the same project may stand there together, among others.
Result<OldProject> read_old_commands(std::string_view text);

// A project of the scripts: the text of its configall.sh, and of its edit_image_cmd.txt ("" without).
Result<OldProject> read_old_scripts(std::string_view configall, std::string_view edit_image_cmd);

}  // namespace trainmake
