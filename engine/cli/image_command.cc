// `image export|load|check`: which is meant; and `check`, which asks everything of an image that an image has
// to be.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/hand_out_image.h"
#include "rules/image/documents.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"
#include "rules/image/validate.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

// `image:mnist`, `vision/image:mnist` and `//any.folder/image:mnist` are labels; what begins with a host, as
// `hub.example.com/team/data:v1`, is none, nor is `python:3.11`.
bool is_reference(Session& session, const std::string& word) {
  const std::size_t slash = word.find('/');
  const std::string first = word.substr(0, slash), last = word.substr(word.rfind('/') + 1);
  if (word.starts_with("//") || word.ends_with("...") || word.find('*') != word.npos) return false;
  if (slash != word.npos && first != "." && first != ".." && first.find_first_of(".:") != first.npos)
    return true;
  const std::vector<const Schema*> schemas = session.schemas();
  const bool has_kind = std::any_of(schemas.begin(), schemas.end(), [&](const Schema* schema) {
    return last.starts_with(cat(schema->kind, ":"));
  });
  return !has_kind && word.find_first_of("/:@") != word.npos;
}

struct Checked {
  std::string name;   // as it was asked for
  std::string label;  // absolute; "" of a reference
  std::string digest;
  ImageFindings findings;
};

std::size_t own_layers_of(const Target& image) {
  const Value* files = image.find("files");
  const auto code = std::count_if(image.needs.begin(), image.needs.end(),
                                  [](const Dependency& need) { return need.attribute == "code"; });
  return (files == nullptr ? 0 : files->table()->items.size()) + static_cast<std::size_t>(code);
}

// What its record names; nothing when it is not there any more.
Result<std::optional<BlobRef>> top_of(const Call& call, Registry& registry, const FoundImage& image) {
  const Sha256& digest = image.address.digest;
  if (!image.address.host.empty())
    return registry.find({image.address.repository, digest_text(digest)}, nullptr, call.stop);
  const ImageStore store = ImageStore::of(call.session.host(), call.session.workspace());
  TRY_ASSIGN(const std::optional<std::string> bytes, store.read(digest));
  if (!bytes) return std::optional<BlobRef>();
  return std::optional(BlobRef{type_of_document(*bytes), digest, bytes->size()});
}

Result<Checked> check_label(const Call& call, Places& places, const FoundImage& image) {
  const Session& session = call.session;
  tell_of_image(session, image);
  TRY_ASSIGN(Registry * registry, places.at(image.address.host));
  TRY_ASSIGN(const std::optional<BlobRef> blob, top_of(call, *registry, image));
  Checked checked{
      session.shown(image.target.label), image.target.label.text(), digest_text(image.address.digest), {}};
  if (!blob) {
    checked.findings.wrong.push_back(
        step_error(cat("The image ", checked.digest, " is not there any more, or damaged"),
                   cat("`trainmake --force ", shell_word(checked.name), "` makes it again")));
    return checked;
  }
  TRY_ASSIGN(checked.findings, validate({*registry, image.address.repository, *blob, image.tags, true,
                                         own_layers_of(image.target)},
                                        call.stop));
  return checked;
}

Result<Checked> check_reference(const Call& call, Places& places, const std::string& word) {
  TRY_ASSIGN(const Reference reference, parse_reference(word));
  TRY_ASSIGN(Registry * registry, places.at(reference.registry));
  const std::string asked = reference.digest ? digest_text(*reference.digest) : reference.tag;
  TRY_ASSIGN(const std::optional<BlobRef> blob,
             registry->find({reference.repository, asked}, nullptr, call.stop));
  if (!blob)
    return fail(user_error(cat("There is no image ", quoted(reference.text())),
                           "Check its name and tag; `docker login` may be needed to see it")
                    .because(Blame::kRemote));
  Checked checked{word, "", digest_text(blob->digest), {}};
  TRY_ASSIGN(checked.findings, validate({*registry, reference.repository, *blob}, call.stop));
  return checked;
}

void write_checked(const Session& session, const Checked& checked) {
  const ImageFindings& findings = checked.findings;
  if (session.json()) {
    Json json = {{"label", checked.label.empty() ? Json() : Json(checked.label)},
                 {"image", printable(checked.label.empty() ? checked.name : checked.label)},
                 {"digest", checked.digest},
                 {"ok", findings.wrong.empty()},
                 {"manifests", findings.manifests},
                 {"layers", findings.layers},
                 {"bytes", findings.bytes},
                 {"wrong", Json::array()}};
    for (const Error& error : findings.wrong)
      json["wrong"].push_back(
          {{"message", error.message}, {"hint", error.hint.empty() ? Json() : Json(error.hint)}});
    write_stdout(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return;
  }
  for (const Error& error : findings.wrong) write_stderr(error_text(error));
  write_stdout(cat(
      printable(checked.name), "  ", findings.wrong.empty() ? "fine" : cat(findings.wrong.size(), " wrong"),
      ": ", checked.digest, ", ", plural(findings.layers, "layer"), ", ", human_bytes(findings.bytes), "\n"));
}

Result<int> check_images(const Call& call, const std::vector<std::string>& words) {
  std::vector<std::string> labels;
  std::copy_if(words.begin(), words.end(), std::back_inserter(labels),
               [&](const std::string& word) { return !is_reference(call.session, word); });
  std::vector<FoundImage> images;
  if (!labels.empty()) {
    TRY_ASSIGN(images, find_images(call, labels));
  }
  TRY_ASSIGN(const std::unique_ptr<Places> places, places_of(call.session));
  bool fine = true;
  const auto told = [&](Result<Checked> checked) -> Result<void> {
    TRY_ASSIGN(const Checked whole, std::move(checked));
    write_checked(call.session, whole);
    fine = fine && whole.findings.wrong.empty();
    return {};
  };
  for (const FoundImage& image : images) TRY(told(check_label(call, *places, image)));
  for (const std::string& word : words) {
    if (is_reference(call.session, word)) TRY(told(check_reference(call, *places, word)));
  }
  return fine ? 0 : exit_code_of(Blame::kStep);
}

}  // namespace

Result<int> image_command(const Call& call) {
  const std::vector<std::string>& words = call.session.line().words;
  const std::string way = words.empty() ? "" : words[0];
  const std::vector<std::string> ways = {"export", "load", "check"};
  if (std::find(ways.begin(), ways.end(), way) == ways.end()) {
    const std::string meant = did_you_mean(way, ways);
    return fail(user_error(
        way.empty() ? std::string("`trainmake image` needs `export`, `load` or `check`")
                    : cat("`trainmake image` can `export`, `load` and `check`, not ", quoted(way)),
        meant.empty() ? std::string("As `trainmake image export image:mnist --to mnist.tar`") : meant));
  }
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (rest.empty())
    return fail(user_error(cat("`trainmake image ", way, "` needs a label"),
                           cat("As `trainmake image ", way, " image:mnist`")));
  for (const auto& [flag, of] :
       {std::pair("--to", "export"), std::pair("--overwrite", "export"), std::pair("--with", "load")}) {
    if (call.session.line().has(flag) && way != of)
      return fail(
          user_error(cat("Flag ", quoted(flag), " is of `image ", of, "`, not of `image ", way, "`")));
  }
  if (way == "check") return check_images(call, rest);
  if (way == "load") return load_images(call, rest);
  if (rest.size() > 1)
    return fail(user_error(cat("`trainmake image export` takes one label, got ", rest.size()),
                           "As `trainmake image export image:mnist --to mnist.tar`"));
  return export_image(call, rest.front());
}

}  // namespace trainmake
