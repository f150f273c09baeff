// What `code` means: a snapshot, by content, of the files that git would keep. Knows nothing of images or
// jobs.
#pragma once

#include "cache/blobs.h"
#include "cache/file_set.h"
#include "engine/model/rule.h"

namespace trainmake {

const Schema& code_schema();

// The files of a target as they are now. Refuses private keys and their like among them.
Result<FileSet> code_files(FileSets& file_sets, const Target& target);

class CodeRule final : public Rule {
 public:
  CodeRule(Blobs& blobs, FileSets& file_sets);

  const Schema& schema() const override { return code_schema(); }
  Pool pool() const override { return Pool::kCpu; }
  Result<Description> describe(const Subject& subject) override;
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;

 private:
  Blobs& blobs_;
  FileSets& file_sets_;
};

}  // namespace trainmake
