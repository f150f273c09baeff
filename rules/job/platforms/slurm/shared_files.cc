#include "rules/job/platforms/slurm/shared_files.h"

#include <algorithm>
#include <random>

#include "cache/file_digests.h"
#include "cache/lay_out.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::uint32_t kReadOnly = 0444;

// Below `content/`. A file that is read in place has no SHA-256: it was read to be compared, and is read once
// more while it is copied.
std::string address_of(const ListedFile& file) {
  const std::string name = file.source.empty() ? file.sha256.hex() : cat("x", file.content.hex());
  return cat(std::string_view(name).substr(0, 3), "/", name);
}

Error changed(const ListedFile& file, const std::string& label) {
  return step_error(
      cat(quoted(file.source), " of ", quoted(label), " changed before it was copied for the job"),
      "Run it again: it is looked at anew");
}

}  // namespace

std::string random_name() {
  std::random_device random;
  return digest_of(cat(random(), " ", random(), " ", random(), " ", random())).hex();
}

SharedFiles::SharedFiles(Host& host, const Workspace& workspace, Blobs& blobs, std::string top)
    : host_(host), workspace_(workspace), blobs_(blobs), top_(std::move(top)) {}

template <typename Make>
Result<std::string> SharedFiles::place_tree(const std::string& name, Make make) {
  std::string tree = path_join(top_, cat("trees/", name));
  TRY_ASSIGN(const Stat there, host_.files.look(tree));
  if (there.exists()) return tree;
  const std::string incoming = path_join(top_, cat("incoming/", random_name()));
  Result<void> made = host_.files.make_folder(incoming);
  if (made) made = make(incoming);
  if (made) made = host_.files.make_folder(std::string(path_folder(tree)));
  if (made) made = host_.files.rename(incoming, tree);
  if (made) return tree;
  (void)host_.files.remove(incoming);
  // A folder is not renamed over another: somebody else was quicker.
  TRY_ASSIGN(const Stat meanwhile, host_.files.look(tree));
  return meanwhile.exists() ? Result<std::string>(std::move(tree)) : fail(std::move(made).error());
}

Result<std::string> SharedFiles::place_code(const Listing& code) {
  Hasher hasher;
  for (const ListedFile& file : code)
    hasher.field(file.key).field(file.link_target).number(file.mode).field(file.sha256.hex());
  return place_tree(cat("code-", hasher.finish().hex()), [&](const std::string& folder) {
    return lay_out(host_.files, blobs_, code, "the code", folder);
  });
}

Result<std::string> SharedFiles::place_data(const std::vector<GivenTree>& trees) {
  struct Placed {
    std::string key;
    const GivenTree* tree;
    const ListedFile* file;
  };
  std::vector<Placed> all;
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files)
      all.push_back({path_join(tree.channel, file.key), &tree, &file});
  }
  std::sort(all.begin(), all.end(), [](const Placed& a, const Placed& b) { return a.key < b.key; });
  Hasher hasher;
  for (const Placed& one : all) hasher.field(one.key).field(address_of(*one.file)).number(one.file->size);
  return place_tree(cat("data-", hasher.finish().hex()), [&](const std::string& folder) -> Result<void> {
    const std::string content = path_join(top_, "content");
    std::string made;
    for (const Placed& one : all) {
      const std::string address = address_of(*one.file);
      TRY(place_content(*one.tree, *one.file, path_join(content, address)));
      if (std::string above(path_folder(one.key)); above != made || made.empty()) {
        TRY(host_.files.make_folder(path_join(folder, above)));
        made = std::move(above);
      }
      std::string up = "../../content";
      for (const char c : one.key) up.insert(0, c == '/' ? "../" : "");
      TRY(host_.files.make_link(path_join(up, address), path_join(folder, one.key)));
    }
    return {};
  });
}

Result<void> SharedFiles::place_content(const GivenTree& tree, const ListedFile& file,
                                        const std::string& to) {
  TRY_ASSIGN(const Stat there, host_.files.look(to));
  if (there.is(FileKind::kFile) && there.size == file.size) return {};
  if (!file.source.empty()) return copy_in_place(file, tree.label, to);
  ListedFile read_only = file;
  read_only.mode = kReadOnly;
  return lay_out(blobs_, read_only, quoted(tree.label), to);
}

// What arrives is what the job was given, whatever the file becomes meanwhile.
Result<void> SharedFiles::copy_in_place(const ListedFile& file, const std::string& label,
                                        const std::string& to) {
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer,
             host_.files.create(to, {.mode = kReadOnly, .large = true}));
  ContentHasher content;
  std::uint64_t size = 0;
  TRY(read_pieces(host_.files, path_join(workspace_.root, file.source), {}, [&](std::string_view bytes) {
    content.add(bytes);
    size += bytes.size();
    return writer->append(bytes);
  }));
  if (size != file.size || content.finish() != file.content) return fail(changed(file, label));
  return writer->commit();
}

}  // namespace trainmake
