// What a run leaves in its checkpoint folder, kept by content, so that a later run goes on from it and says
// so: of a job with `resume = true` on whatever platform and after `gc`, of any other the next attempt at the
// same; and `repro` once more. Knows no platform.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "engine/model/record.h"
#include "rules/job/job_spec.h"
#include "rules/job/platform.h"
#include "rules/job/upstream.h"

namespace trainmake {

struct CheckpointFolder {
  std::string at;          // on this machine
  std::string seen = {};   // by the run, where that is elsewhere
  std::string run = {};    // whose it is
  std::string place = {};  // what its contract calls it, below the run's `places/`
};
// What lies there by now, empty folders and times included; nothing when there is no file in it, or no
// folder. A link by an absolute path that leads into it is kept as a relative one: it is to do so in the next
// run's, wherever that lies.
Result<std::optional<Checkpoint>> keep_checkpoint(FileSystem& files, Blobs& blobs,
                                                  const CheckpointFolder& folder,
                                                  const std::stop_token& stop);

// Of its texts, up to 1 MiB each, those that name the checkpoint folder which one of `runs` had for itself: a
// job that goes by such a path reads and writes there.
Result<std::vector<std::string>> texts_naming_folders_of(const std::vector<Run>& runs, Blobs& blobs,
                                                         const Checkpoint& checkpoint);

// Of a run that is over, and that others may go on from: what it left is kept, and remembered with it.
// Returns what is wrong with it, should it be nothing that can be kept.
Result<std::string> keep_checkpoint_of(Platform& platform, FileSystem& files, Blobs& blobs, Run& run,
                                       const std::stop_token& stop);
// Where it is kept; "" when the run left none, or it was not kept.
std::string checkpoint_left_by(const Run& run);

// What a run's provenance says of a checkpoint, whether or not that is there still.
struct ToldCheckpoint {
  std::string run;      // which left it; "" is the run itself
  std::string listing;  // its content, as a digest
  std::uint64_t files = 0, bytes = 0;
  std::string times = {};  // as of Checkpoint
};
std::optional<ToldCheckpoint> told_resumed(const Run& run);  // from what it was begun
std::optional<ToldCheckpoint> told_left(const Run& run);

// Of a run's provenance: from what it was begun, or from nothing.
std::string with_resumed(const std::string& provenance_json, const std::optional<Checkpoint>& resumed);
// Its `files` are nullptr when they are not in the cache any more.
Result<std::optional<Checkpoint>> resumed_by(Listings& listings, const Run& run);

// Where a next run finds checkpoints.
struct CheckpointSources {
  FileSystem& files;
  Blobs& blobs;
  Listings& listings;
  Platform& platform;
  const std::string& platform_name;
  std::function<void(std::string)> tell;
};
// Of `runs`, all of one label and the newest first, the last that is over and left one. What is not whole any
// more, or not there, is passed over, which is told.
Result<std::optional<Checkpoint>> last_checkpoint(const CheckpointSources& sources,
                                                  const std::vector<Run>& runs, const std::stop_token& stop);
// Those of one fingerprint, the newest first, that a next attempt at the same goes on from: none that came
// before a success.
std::vector<Run> in_vain_since_success(std::vector<Run> runs);

// Whether all of its files are in the cache.
Result<bool> is_whole(FileSystem& files, const Blobs& blobs, const Checkpoint& checkpoint);

// JobSpec::checkpoint: no run shares its folder with another.
std::string own_checkpoint(std::string_view run);

std::uint64_t bytes_resumed(const JobSpec& spec);

// What lies in the run's checkpoint folder before it is placed is of one with this id that is not remembered
// any more, and which nobody said to go on from.
Result<void> set_aside_checkpoint(FileSystem& files, const std::string& folder);
// Makes the run's checkpoint folder, before its job starts: with what is resumed from, whole or not at all,
// or empty. One that is there already stays as it is.
Result<void> place_checkpoint(FileSystem& files, Blobs& blobs, const JobSpec& spec, const std::string& folder,
                              const Copying& copying = {});

// "3 files, 1.2 MiB"
std::string size_text(const Checkpoint& checkpoint);
std::string size_text(const ToldCheckpoint& checkpoint);

}  // namespace trainmake
