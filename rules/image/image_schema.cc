#include "rules/image/image_schema.h"

#include <algorithm>
#include <set>

#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "rules/image/compress.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

void check_tag(const Value& tag, std::vector<Error>& errors) {
  if (is_tag(*tag.string())) return;
  errors.push_back(user_error(cat("Tag ", quoted(*tag.string()), " cannot be one"),
                              "Letters, digits, `.`, `_` and `-` may stand in a tag")
                       .at({"", tag.line}));
}

// An error for each text of a list that stands there before.
void check_twice(const Value& list, std::string_view what, std::vector<Error>& errors) {
  std::set<std::string> seen;
  if (list.table() == nullptr) return;
  for (const Value& item : list.table()->items) {
    if (seen.insert(*item.string()).second) continue;
    errors.push_back(
        user_error(cat(what, " ", quoted(*item.string()), " is named twice"), "Leave one of them out")
            .at({"", item.line}));
  }
}

std::vector<Error> wrong_tags(const Value& tags) {
  std::vector<Error> errors;
  check_twice(tags, "Tag", errors);
  if (tags.string() != nullptr) check_tag(tags, errors);
  if (const Table* list = tags.table()) {
    for (const Value& tag : list->items) check_tag(tag, errors);
  }
  return errors;
}

const char* why_no_dest(const std::string& path) {
  return !path.starts_with('/')            ? "is not absolute"
         : !clean_dest(path)               ? "leads out of the image"
         : path.find("/.wh.") != path.npos ? "has a name by which a layer deletes"
                                           : nullptr;
}

std::vector<Error> wrong_file_layers(const Value& layers) {
  std::vector<Error> errors;
  for (const Value& layer : layers.table()->items) {
    const Value& dest = *layer.table()->find("dest");
    if (const char* why = why_no_dest(*dest.string()))
      errors.push_back(
          user_error(cat("`dest` ", quoted(*dest.string()), " of a layer ", why), "Write it as `/weights`")
              .at({"", dest.line != 0 ? dest.line : layer.line}));
  }
  return errors;
}

Error wrong_at(const Value& value, std::string message, std::string hint) {
  return user_error(std::move(message), std::move(hint)).at({"", value.line});
}

std::vector<Error> wrong_dockerfile(const Value& path) {
  if (!path.string()->empty()) return {};
  return {wrong_at(path, "`dockerfile` is empty", "Name a file, or leave it out")};
}

std::vector<Error> wrong_env(const Value& env) {
  std::vector<Error> errors;
  for (const auto& [name, value] : env.table()->fields) {
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos)
      errors.push_back(wrong_at(value, cat("No environment variable can be called ", quoted(name)),
                                "A name is not empty and has no `=`"));
  }
  return errors;
}

std::vector<Error> wrong_workdir(const Value& folder) {
  if (folder.string()->starts_with('/')) return {};
  return {wrong_at(folder, cat("`workdir` ", quoted(*folder.string()), " is not absolute"),
                   "Write it as `/code`")};
}

std::vector<Error> wrong_user(const Value& user) {
  const std::string& text = *user.string();
  const bool is_fine = !text.empty() && text.front() != ':' && text.back() != ':' &&
                       std::count(text.begin(), text.end(), ':') < 2 &&
                       text.find_first_of(" \t\n/") == std::string::npos;
  if (is_fine) return {};
  return {wrong_at(user, cat("Nobody can be called ", quoted(text)),
                   "Write a name or a number, as `user` or `user:group`")};
}

// A variant's name becomes part of a tag.
std::vector<Error> wrong_variants(const Value& base) {
  std::vector<Error> errors;
  const Table* table = base.table();
  const auto check = [&](const Value& one) {
    if (one.string()->empty())
      errors.push_back(wrong_at(base, "`base` is empty", "`\"scratch\"` is a base with nothing in it"));
  };
  if (base.string() != nullptr) check(base);
  if (table == nullptr) return errors;
  for (const auto& [name, value] : table->fields) check(value);
  if (table->fields.empty())
    errors.push_back(user_error("`base` names no variant", "Write it as `{ cpu = \"...\", gpu = \"...\" }`"));
  for (const auto& [name, value] : table->fields) {
    if (is_tag(name)) continue;
    errors.push_back(user_error(cat("Variant ", quoted(name), " cannot be one"),
                                "Letters, digits, `.`, `_` and `-` may stand in its name")
                         .at({"", value.line}));
  }
  return errors;
}

std::vector<Error> wrong_choice(const Value& variants) {
  std::vector<Error> errors;
  check_twice(variants, "Variant", errors);
  return errors;
}

std::vector<Error> wrong_architectures(const Value& architectures) {
  std::vector<Error> errors;
  check_twice(architectures, "Architecture", errors);
  const auto check = [&](const Value& value) {
    if (*value.string() != "amd64" && *value.string() != "arm64")
      errors.push_back(user_error(cat("There is no architecture ", quoted(*value.string())),
                                  "Images are made for `amd64` and `arm64`")
                           .at({"", value.line}));
  };
  if (architectures.string() != nullptr) check(architectures);
  if (const Table* list = architectures.table()) {
    for (const Value& item : list->items) check(item);
  }
  return errors;
}

Schema make_schema() {
  return {
      "image",
      "An OCI image: layers and a config, by digest",
      {
          {"code",
           Shape::kLabelList,
           "The code in it: its last layers, in `/code`",
           false,
           Effect::kResult,
           {"code"}},
          {.name = "base",
           .shape = Shape::kVariants,
           .doc = "What it is built on: a reference, another image's label, or `\"scratch\"`; a table has "
                  "variants",
           .labels = {"image"},
           .wrong = wrong_variants},
          {.name = "architecture",
           .shape = Shape::kStringList,
           .doc = "What it is for: `amd64`, `arm64` or both; this machine's when none is given",
           .wrong = wrong_architectures},
          {"run", Shape::kStringList,
           "Commands run in the base, with its environment and user: a layer each, below the code"},
          {"inputs", Shape::kFiles,
           "Files that `run` steps read in their working folder, or a Dockerfile copies; by their paths from "
           "the project's folder"},
          {"network", Shape::kBoolean, "Whether `run` steps have the network; not unless it is `true`"},
          {.name = "files",
           .shape = Shape::kFileLayers,
           .doc = "Other files, a layer each: `{ { srcs = glob \"weights/**\", dest = \"/weights\" } }`",
           .wrong = wrong_file_layers},
          {"allow", Shape::kStringList,
           "Private keys and `.env` files that may be among `files` and `inputs`", false, Effect::kNone},
          {.name = "env", .shape = Shape::kScalarMap, .doc = "Environment variables", .wrong = wrong_env},
          {.name = "workdir", .shape = Shape::kString, .doc = "The working folder", .wrong = wrong_workdir},
          {"entrypoint", Shape::kStringList, "What a container starts"},
          {"cmd", Shape::kStringList, "Its arguments"},
          {.name = "user",
           .shape = Shape::kString,
           .doc = "Who runs it: a name or a number, with a group perhaps",
           .wrong = wrong_user},
          {"labels", Shape::kStringMap, "Labels of the image"},
          {.name = "tags",
           .shape = Shape::kStringList,
           .doc = "Its tags; `latest` when none is given",
           .wrong = wrong_tags},
          {"registry", Shape::kString,
           "Where it goes, as TRAINSPACE.lua calls it; else `default_registry`, else the layout"},
          {.name = "compression",
           .shape = Shape::kString,
           .doc = "Of its layers: `\"gzip\"`, or `\"zstd\"` where all that read it can; else as its registry "
                  "says",
           .wrong = wrong_compression},
          {.name = "variants",
           .shape = Shape::kStringList,
           .doc = "Which variants of `base` are made, the most usual first; else all",
           .wrong = wrong_choice},
          {"push_cpu", Shape::kBoolean,
           "Whether the variant `cpu` goes where a platform of accelerators gets its images, too", false,
           Effect::kNone},
          {.name = "dockerfile",
           .shape = Shape::kString,
           .doc = "A Dockerfile that builds what it is built on, in place of `base`",
           .wrong = wrong_dockerfile},
          {"secrets", Shape::kStringList,
           "Environment variables that `run` steps see, or a Dockerfile mounts"},
          {"notes", Shape::kString, "A remark", false, Effect::kNone},
      }};
}

}  // namespace

std::vector<Error> wrong_compression(const Value& name) {
  if (parse_compression(*name.string())) return {};
  return {
      user_error(cat("There is no compression ", quoted(*name.string())), "Write `\"gzip\"` or `\"zstd\"`")
          .at({"", name.line})};
}

std::optional<std::string> clean_dest(std::string_view dest) {
  dest.remove_prefix(std::min(dest.find_first_not_of('/'), dest.size()));
  const std::optional<std::string> inner = path_clean(dest);
  return inner ? std::optional(cat("/", *inner)) : std::nullopt;
}

const Schema& image_schema() {
  static const Schema schema = make_schema();
  return schema;
}

}  // namespace trainmake
