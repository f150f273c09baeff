#include "rules/code/code_rule.h"

#include <memory>

#include "cache/secret_files.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

Schema make_schema() {
  return {"code",
          "Source files, snapshotted by content before anything runs",
          {
              {"srcs", Shape::kFiles, "The files, as `glob \"code/**\"`; what git ignores is left out", true},
              {"main", Shape::kString, "The file that a job runs, as a path from `root`"},
              {"root", Shape::kString,
               "The folder that keys start from; else the longest one that all patterns share"},
              {"dest", Shape::kString, "A folder that every key is put under"},
              {"gitignore", Shape::kBoolean, "`false` keeps files that git ignores", false, Effect::kNone},
              {"allow", Shape::kStringList, "Private keys and `.env` files that may be among the code", false,
               Effect::kNone},
              {"tags", Shape::kStringList, "Words to find it by", false, Effect::kNone},
              {"notes", Shape::kString, "A remark", false, Effect::kNone},
          }};
}

Digest128 line_digest(const ListedFile& file) {
  return Hasher()
      .field("code")
      .number(file.mode)
      .field(file.link_target)
      .number(file.content.high)
      .number(file.content.low)
      .finish();
}

Artifacts artifacts_of(const Listing& listing) {
  std::uint64_t bytes = 0;
  for (const ListedFile& file : listing) bytes += file.size;
  return {{"tree", tree_identity(listing, true).hex(), "", bytes, ""}};
}

}  // namespace

CodeRule::CodeRule(Blobs& blobs, FileSets& file_sets) : blobs_(blobs), file_sets_(file_sets) {}

const Schema& code_schema() {
  static const Schema schema = make_schema();
  return schema;
}

Result<FileSet> code_files(FileSets& file_sets, const Target& target) {
  FileSetRequest request{
      target.label.folder,          target.find("srcs"), {},
      target.string_or("dest", ""), Links::kKeep,        target.boolean_or("gitignore", true),
      target.place_of("srcs")};
  if (target.find("root") != nullptr) request.root = target.string_or("root", "");
  TRY_ASSIGN(FileSet set, file_sets.read(request));
  TRY(refuse_secret_files(set, target, "srcs"));
  return set;
}

Result<Description> CodeRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  TRY_ASSIGN(FileSet set, code_files(file_sets_, target));
  Description description;
  for (std::size_t i = 0; i < set.files.size(); ++i)
    description.manifest.add(Section::kCode, std::move(set.paths[i]), line_digest(set.files[i]));
  for (const char* name : {"main", "root", "dest"}) {
    if (const Value* value = target.find(name))
      description.manifest.add(Section::kAttr, name, digest_of(*value));
  }
  // What keys the files have is part of the tree even when the attributes that decide it are not written.
  description.manifest.add(Section::kAttr, "keys", tree_identity(set.files, true));
  description.manifest.seal();
  description.predicted = artifacts_of(set.files);
  description.looks = std::move(set.looks);
  description.notes = std::move(set.notes);
  description.carry = std::make_shared<const Listing>(std::move(set.files));
  return description;
}

Result<Done> CodeRule::execute(const Subject&, const Description& description, const Doing& doing) {
  const auto& found = std::any_cast<const std::shared_ptr<const Listing>&>(description.carry);
  TRY_ASSIGN(const Listing listing, file_sets_.store(*found, blobs_, doing.stop));
  TRY_ASSIGN(const Sha256 tree, blobs_.put(encode(listing)));
  Done done;
  done.artifacts = artifacts_of(listing);
  done.artifacts.front().sha256 = tree.hex();
  done.artifacts.front().address = cat("blob:", tree.hex());
  done.note = plural(listing.size(), "file");
  return done;
}

Result<bool> CodeRule::holds(const Subject&, const Record& record, bool, Looks&) {
  const Artifact* tree = find_role(record.artifacts, "tree");
  const std::optional<Sha256> digest = tree == nullptr ? std::nullopt : Sha256::parse(tree->sha256);
  if (!digest) return false;
  TRY_ASSIGN(const std::optional<std::string> bytes, blobs_.read(*digest));
  const std::optional<Listing> listing = bytes ? decode_listing(*bytes) : std::nullopt;
  if (!listing) return false;
  for (const ListedFile& file : *listing) {
    if (!file.link_target.empty()) continue;
    TRY_ASSIGN(const bool there, blobs_.has(file.sha256));
    if (!there) return false;
  }
  return true;
}

}  // namespace trainmake
