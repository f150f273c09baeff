// Expands patterns over a folder into files: sorted, each once, with what stat says of them, and with every
// folder that was listed to find them (so that a later run can tell whether the answer would be the same).
// Never enters a folder with another project's file (`boundary`), a link to one, or, unless asked for all
// names, `.git` and `.trainmake`. Starts at a pattern's root; a large tree is searched on a few threads.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_system.h"

namespace trainmake {

class IgnoreRules;  // engine/base/git.h

struct WalkRequest {
  std::string top;                   // absolute folder; paths below are relative to it
  std::vector<std::string> include;  // patterns; a literal one is looked at, not searched for
  std::vector<std::string> exclude;
  std::string boundary;                 // a file name, as TRAINFILE.lua; "" for none
  Links links = Links::kKeep;           // kFollow: a link to a file is that file; a dangling one is an error
  const IgnoreRules* ignore = nullptr;  // a file named by a literal pattern is taken even when it is ignored
  std::string kept_out =
      {};  // an absolute folder that is never entered, as ours that changes as we go; "" for none
  bool empty_folders = false;  // those that were searched, have nothing in them, and match, are found, too
  bool all_names = false;      // also `.git` and `.trainmake`: of a folder that is no workspace
};

struct WalkedFile {
  std::string path;         // from top; of an empty folder with a slash at its end
  Stat stat;                // kFile, or kLink with Links::kKeep; kFolder of an empty one
  std::string link_target;  // of a kLink
};

struct Walked {
  std::vector<WalkedFile> files;  // sorted bytewise by path
  // Listed, or passed below top on the way to a pattern's root; from top, sorted; stat taken before listing.
  std::vector<std::pair<std::string, Stat>> folders;
  // Links to folders that matched or led on, and were not walked. With Links::kKeep those that matched are in
  // `files`, too.
  std::vector<std::string> folder_links;
  std::vector<std::string> unmatched;  // include patterns that matched nothing
  std::vector<std::string> special;    // sockets, pipes, devices that matched and were left out
};

Result<Walked> walk(FileSystem& files, const WalkRequest& request);

}  // namespace trainmake
